output "account" {
  description = "E-mail of the runners' account. Grant it nothing."
  value       = google_service_account.runners.email
}

output "cells" {
  description = "The cells that Terraform has made: name => size. Their secrets are not told."
  value       = var.cells
}
