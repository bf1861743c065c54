-- What does an invoice pay for? One row for each invoice, campaign and event month.
--
-- invoice_id: The invoice; joins invoices.id
-- created_date: When it was created
-- invoice_month: Month in which it was created, in the account's calendar, as its first day
-- media_partner_id: The partner who is paid
-- event_month: Month of the conversions, as its first day; NULL if the API's text is not a month
-- currency: ISO 4217 code of the money
-- action_amount: What is owed for actions, as the detailed lines say; as the others do, if an invoice has none
-- other_amount: What else is owed, a bonus for example
-- net_amount: What is owed before VAT: the sum of both
-- vat_amount: VAT on it
-- total_amount: What is owed with VAT
-- actions: Number of actions that it counts
-- status: PENDING, PAID or OVERDUE; if its lines differ, the first and the last of these words
-- due_date: When payment is due
-- paid_date: When it was paid; NULL if it was not
-- tied_invoice_id: The first of the invoices that the partner got in this month for the same campaign and event month:
--   which of them pays an action is not known, so invoice_tie_out compares them together
select
    i.id as invoice_id,
    i.created_date,
    cast(date_trunc('month', i.created_date at time zone 'account') as date) as invoice_month,
    i.media_id as media_partner_id,
    i.media_name as media_partner_name,
    l.campaign_id,
    max(l.campaign_name) as campaign_name,
    l.event_month,
    i.currency,
    sum(case when l.is_detailed then coalesce(l.action_amount, 0) else coalesce(l.payout_amount, 0) end)
        as action_amount,
    sum(case
        when l.is_detailed then coalesce(l.other_amount, 0)
        else coalesce(l.net_item_amount, 0) - coalesce(l.payout_amount, 0)
    end) as other_amount,
    sum(case when l.is_detailed then coalesce(l.detail_amount, 0) else coalesce(l.net_item_amount, 0) end)
        as net_amount,
    sum(coalesce(l.vat_item_amount, 0)) as vat_amount,
    sum(coalesce(l.total_item_amount, 0)) as total_amount,
    sum(coalesce(l.actions, 0)) as actions,
    min(l.status) || case when min(l.status) = max(l.status) then '' else ', ' || max(l.status) end as status,
    min(l.due_date) as due_date,
    max(l.paid_date) as paid_date,
    first_value(i.id) over (
        partition by
            i.media_id, l.campaign_id, l.event_month, i.currency,
            cast(date_trunc('month', i.created_date at time zone 'account') as date)
        order by i.created_date, i.id
    ) as tied_invoice_id
from invoices i
join (
    select
        invoice_id, coalesce(program_id, campaign_id) as campaign_id,
        coalesce(program_name, campaign_name) as campaign_name,
        case
            when regexp_matches(event_month_year, '^(0?[1-9]|1[0-2])[0-9]{4}$')
            then cast(
                right(event_month_year, 4) || '-'
                || lpad(left(event_month_year, length(event_month_year) - 4), 2, '0') || '-01' as date
            )
        end as event_month,
        action_amount, other_amount, case when kind = 'detail' then total_amount end as detail_amount,
        net_item_amount, case when description = 'MEDIA_PAYOUT' then net_item_amount end as payout_amount,
        vat_item_amount, total_item_amount, actions, status, due_date, paid_date,
        max(case when kind = 'detail' then 1 else 0 end) over (partition by invoice_id) = 1 as is_detailed
    from invoice_lines
) l on l.invoice_id = i.id
group by i.id, i.created_date, i.media_id, i.media_name, i.currency, l.campaign_id, l.event_month
