output "url" {
  description = "Where the scaler answers, such as /status."
  value       = module.scaler.url
}

output "config" {
  description = "The scaler's configuration, for the verbs of `runner-pool` on your machine. It says where the secrets are and holds none."
  value       = module.scaler.config
}

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
