"""The dbt package: what it declares, and that dbt agrees."""
