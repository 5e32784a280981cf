output "webhook_url" {
  description = "What to enter as the webhook URL of the GitHub App."
  value       = module.scaler.webhook_url
}

output "secrets" {
  description = "The secrets that wait for a value."
  value       = module.scaler.secrets
}

output "accounts" {
  description = "The accounts of the runners, one a pool. Grant them nothing."
  value       = [for pool in concat(module.linux, module.gpu) : pool.account]
}
