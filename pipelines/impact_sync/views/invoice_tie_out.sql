-- Does an invoice pay what the actions say? One row for each invoice, campaign and event month, and for paid actions
-- that are on no invoice, although the partner has later ones.
--
-- Without VAT. invoice_actions lists the actions of a row. Several invoices that a partner got in one month for the same
-- campaign and event month are one row: which of them pays an action is not known.
--
-- invoice_id: The invoice, the first of several; NULL for actions that are on none
-- created_date: When it was created
-- media_partner_id: The partner who is paid
-- status: PENDING, PAID or OVERDUE
-- due_date: When payment is due
-- paid_date: When it was paid, the last of several; NULL if one was not
-- actions_on_invoice: Number of actions that the invoice counts
-- actions: Number of actions that it should pay, as they are here
-- net_amount: What the invoice says is owed, without VAT
-- payout: Commission of the actions that it should pay, as it stands
-- difference: net_amount less payout
-- other_amount: What the invoice says is owed for other things than actions, a bonus for example
-- unexplained: What is left of the difference without other_amount
-- explanation: other amount, number of actions, amounts of actions, or the first with one of these; not invoiced; NULL
--   if nothing differs
-- explaining_actions: Ids of the actions each of which alone is what is left unexplained, or that are not invoiced
-- invoices: Number of invoices in this row
with invoiced as (
    select
        tied_invoice_id as invoice_id, min(created_date) as created_date, media_partner_id,
        max(media_partner_name) as media_partner_name, campaign_id, max(campaign_name) as campaign_name, event_month,
        currency, min(status) || case when min(status) = max(status) then '' else ', ' || max(status) end as status,
        min(due_date) as due_date, case when count(paid_date) = count(*) then max(paid_date) end as paid_date,
        sum(actions) as actions, sum(net_amount) as net_amount, sum(other_amount) as other_amount,
        count(*) as invoices
    from invoice_months
    group by tied_invoice_id, media_partner_id, campaign_id, event_month, currency
),
owed as (
    select
        invoice_id, media_partner_id, max(media_partner_name) as media_partner_name, campaign_id,
        max(campaign_name) as campaign_name, event_month, currency,
        count(*) as actions, sum(coalesce(payout, 0)) as payout
    from invoice_actions
    where invoice_id is not null or is_missing
    group by invoice_id, media_partner_id, campaign_id, event_month, currency
),
tied as (
    select
        m.invoice_id, m.created_date,
        coalesce(m.media_partner_id, o.media_partner_id) as media_partner_id,
        coalesce(m.media_partner_name, o.media_partner_name) as media_partner_name,
        coalesce(m.campaign_id, o.campaign_id) as campaign_id,
        coalesce(m.campaign_name, o.campaign_name) as campaign_name,
        coalesce(m.event_month, o.event_month) as event_month,
        coalesce(m.currency, o.currency) as currency,
        m.status, m.due_date, m.paid_date,
        coalesce(m.actions, 0) as actions_on_invoice, coalesce(o.actions, 0) as actions,
        coalesce(m.net_amount, 0) as net_amount, coalesce(o.payout, 0) as payout,
        coalesce(m.net_amount, 0) - coalesce(o.payout, 0) as difference,
        coalesce(m.other_amount, 0) as other_amount,
        coalesce(m.net_amount, 0) - coalesce(o.payout, 0) - coalesce(m.other_amount, 0) as unexplained,
        coalesce(m.invoices, 0) as invoices
    from invoiced m
    full join owed o on o.invoice_id = m.invoice_id and o.campaign_id = m.campaign_id and o.event_month = m.event_month
),
candidates as (
    select
        a.id, a.campaign_id, a.media_partner_id, a.currency, a.payout, i.invoice_id, i.is_missing,
        cast(date_trunc('month', a.event_date at time zone 'account') as date) as event_month
    from actions a
    left join invoice_actions i on i.action_id = a.id
),
explaining as (
    select
        t.invoice_id, t.media_partner_id, t.campaign_id, t.event_month, t.currency,
        string_agg(c.id, ', ' order by c.id) as ids
    from tied t
    join candidates c
        on c.media_partner_id = t.media_partner_id and c.campaign_id = t.campaign_id and c.event_month = t.event_month
        and c.currency = t.currency
    where t.unexplained <> 0 and (
        (t.invoice_id is null and c.is_missing)
        or (t.unexplained = c.payout and coalesce(c.invoice_id, '') <> t.invoice_id)
        or (t.unexplained = -c.payout and c.invoice_id = t.invoice_id)
    )
    group by t.invoice_id, t.media_partner_id, t.campaign_id, t.event_month, t.currency
)
select
    t.invoice_id, t.created_date, t.media_partner_id, t.media_partner_name, t.campaign_id, t.campaign_name,
    t.event_month, t.currency, t.status, t.due_date, t.paid_date, t.actions_on_invoice, t.actions, t.net_amount,
    t.payout, t.difference, t.other_amount, t.unexplained,
    case
        when t.invoice_id is null then 'not invoiced'
        when t.unexplained = 0 and t.other_amount = 0 then null
        when t.unexplained = 0 then 'other amount'
        else case when t.other_amount = 0 then '' else 'other amount and ' end
            || case when t.actions_on_invoice = t.actions then 'amounts of actions' else 'number of actions' end
    end as explanation,
    x.ids as explaining_actions, t.invoices
from tied t
left join explaining x
    on x.invoice_id is not distinct from t.invoice_id and x.media_partner_id = t.media_partner_id
    and x.campaign_id = t.campaign_id and x.event_month = t.event_month and x.currency = t.currency
