"""Actions: from the account's campaigns to load packages of changed rows."""
