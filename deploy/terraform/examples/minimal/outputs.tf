output "url" {
  description = "Where the scaler answers, such as /status."
  value       = module.scaler.url
}

output "webhook_url" {
  description = "What to enter as the webhook URL of the GitHub App."
  value       = module.scaler.webhook_url
}

output "secrets" {
  description = "The secrets that wait for a value."
  value       = module.scaler.secrets
}

output "registry" {
  description = "Where to push the images: this and /scaler or /runner."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
}

output "config" {
  description = "The scaler's configuration, for the verbs of `runner-pool` on your machine. It says where the secrets are and holds none."
  value       = module.scaler.config
}
