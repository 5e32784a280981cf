"""What is deployed: Terraform modules, the runbook without Terraform, and the pages about both."""
