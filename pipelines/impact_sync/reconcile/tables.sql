-- What is compared: the orders as given, and what the warehouse holds. Money is decimal(20, 8), instants are in UTC.
create table asked (as_of timestamptz, reach timestamptz, since timestamptz, until timestamptz, referred boolean);
create table given_orders (
    line bigint, order_id text, event_type text, amount text, currency text, status text, ordered_at text,
    updated_at text, referred text
);
create table given_items (line bigint, order_id text, sku text, quantity text, amount text);
create table statuses (theirs text, ours text);
create table actions (
    id text, campaign_id text, action_tracker_id text, action_tracker_name text, media_partner_name text, state text,
    amount decimal(20, 8), payout decimal(20, 8), intended_amount decimal(20, 8), intended_payout decimal(20, 8),
    currency text, oid text, event_date timestamptz, locking_date timestamptz, cleared_date timestamptz
);
create table campaigns (campaign_id text, as_of timestamptz);
create table gone (action_id text);
create table held_items (
    action_id text, sku text, quantity bigint, sale_amount decimal(20, 8), payout decimal(20, 8), line_count bigint
);
create table current_items (action_id text);
