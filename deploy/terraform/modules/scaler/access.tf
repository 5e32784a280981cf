# Who the scaler is and what it may do: read and change worker pools, act as the runners' accounts (module runner_pool),
# its own records, three secrets. Nothing else.

resource "google_service_account" "scaler" {
  project      = var.project
  account_id   = local.name
  display_name = "Scaler of deployment ${var.deployment}"
}

# https://cloud.google.com/run/docs/reference/iam/permissions
resource "google_project_iam_custom_role" "scaler" {
  project     = var.project
  role_id     = replace(local.name, "-", "_")
  title       = "Scaler of deployment ${var.deployment}"
  description = "Read worker pools and change their instance count. Google has no narrower permission than update."

  permissions = [
    "run.operations.get",
    "run.workerpools.get",
    "run.workerpools.list",
    "run.workerpools.update",
  ]
}

resource "google_project_iam_member" "scaler" {
  project = var.project
  role    = google_project_iam_custom_role.scaler.name
  member  = google_service_account.scaler.member
}

resource "google_storage_bucket_iam_member" "scaler" {
  bucket = google_storage_bucket.records.name
  role   = "roles/storage.objectUser"
  member = google_service_account.scaler.member
}

# The values of these two are added by the admin with gcloud, so that they never stand in Terraform's state.
resource "google_secret_manager_secret" "app_key" {
  project   = var.project
  secret_id = "${local.name}-app-key"

  replication {
    auto {}
  }
}

resource "google_secret_manager_secret" "webhook" {
  project   = var.project
  secret_id = "${local.name}-webhook"

  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_iam_member" "scaler" {
  for_each = {
    app_key = google_secret_manager_secret.app_key.id
    config  = google_secret_manager_secret.config.id
    webhook = google_secret_manager_secret.webhook.id
  }

  secret_id = each.value
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.scaler.member
}

# The clock's account has no role: the scaler knows it by its e-mail (`service.callers`).
resource "google_service_account" "clock" {
  project      = var.project
  account_id   = "${var.deployment}-clock"
  display_name = "Clock of deployment ${var.deployment}: may call /tick and /status of the scaler"
}
