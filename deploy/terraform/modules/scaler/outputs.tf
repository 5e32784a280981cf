output "url" {
  description = "Where instances ask for leases; known before the service is there."
  value       = local.url
}

output "webhook_url" {
  description = "What to enter as the webhook URL of the GitHub App."
  value       = "${local.url}/webhooks/github"
}

output "account" {
  description = "E-mail of the scaler's account."
  value       = google_service_account.scaler.email
}

output "bucket" {
  description = "The bucket of the records."
  value       = google_storage_bucket.records.name
}

output "secrets" {
  description = "The secrets that wait for a value: what it is => the secret's id. `gcloud secrets versions add ID --data-file=FILE` gives it."
  value = {
    app_key = google_secret_manager_secret.app_key.secret_id
    webhook = google_secret_manager_secret.webhook.secret_id
  }
}

output "config" {
  description = "The scaler's configuration as YAML, for the verbs of `runner-pool` on your machine. It says where the secrets are and holds none."
  value       = yamlencode(local.config)
}
