# The scaler: a Cloud Run service with one instance that is always there, its records, its configuration and its clock.

locals {
  name = "${var.deployment}-scaler"
  tick = "${local.name}-tick"

  # A service's URL is known before it is made: https://cloud.google.com/run/docs/triggering/https-request#deterministic
  url = "https://${local.name}-${var.project_number}.${var.region}.run.app"

  config = merge(var.settings, {
    deployment = var.deployment
    mode       = "leased"
    records    = "gs://${google_storage_bucket.records.name}/${var.deployment}"
    github = merge(var.settings.github, {
      private_key    = "secretmanager:${google_secret_manager_secret.app_key.name}/versions/latest"
      webhook_secret = "secretmanager:${google_secret_manager_secret.webhook.name}/versions/latest"
    })
    cloud_run = merge(try(var.settings.cloud_run, {}), { project = var.project, region = var.region })
    service = {
      host    = "0.0.0.0"
      url     = local.url
      callers = concat([google_service_account.clock.email], var.callers)
    }
  })
}

# The records of the cells: one small object for each, changed only under a generation precondition.
resource "google_storage_bucket" "records" {
  project                     = var.project
  name                        = "${var.project}-${var.deployment}-records"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.deletion_protection

  # An old record must never come back: it could call a cell empty in which a job runs. A record that is lost is harmless:
  # nothing starts and nothing is lowered in that cell until it is at zero. So neither old versions nor deleted objects are
  # kept. Kept ones would also be billed, four for each job.
  versioning {
    enabled = false
  }

  soft_delete_policy {
    retention_duration_seconds = 0
  }
}

# The configuration holds no secret, but a Cloud Run service can mount nothing else as a single file. Its text stands in
# Terraform's state.
resource "google_secret_manager_secret" "config" {
  project   = var.project
  secret_id = "${local.name}-config"

  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_version" "config" {
  secret      = google_secret_manager_secret.config.id
  secret_data = yamlencode(local.config)

  # An older version is left alone: where a new revision did not start, the one before it goes on, and reads its own version at
  # each start of an instance.
  deletion_policy = "ABANDON"

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_cloud_run_v2_service" "scaler" {
  count = var.image == null ? 0 : 1

  project             = var.project
  location            = var.region
  name                = local.name
  description         = "The scaler of deployment ${var.deployment}: webhooks of GitHub, leases of the instances, ticks of the clock."
  deletion_protection = var.deletion_protection
  ingress             = "INGRESS_TRAFFIC_ALL"

  # GitHub's webhooks carry a signature and no Google identity, so Cloud Run cannot check the callers. The scaler does, for
  # each call (docs/reference/service.md). Where Cloud Run does check, it also takes the signature off the identity tokens,
  # and then nobody else can: https://cloud.google.com/run/docs/troubleshooting#signature-removed
  invoker_iam_disabled = true

  template {
    service_account                  = google_service_account.scaler.email
    max_instance_request_concurrency = 1000
    timeout                          = "300s" # a sweep of a thousand repositories takes somewhat over two minutes

    # One, always. A second one would decide nothing, and each would count GitHub's points for itself.
    scaling {
      min_instance_count = 1
      max_instance_count = 1
    }

    containers {
      image = var.image

      ports {
        container_port = 8080
      }

      # Instance-based billing: the scaler works between requests too.
      resources {
        limits            = { cpu = tostring(var.cpu), memory = var.memory }
        cpu_idle          = false
        startup_cpu_boost = true
      }

      startup_probe {
        period_seconds    = 2
        timeout_seconds   = 2
        failure_threshold = 30

        http_get {
          path = "/healthz"
        }
      }

      liveness_probe {
        period_seconds    = 15
        timeout_seconds   = 5
        failure_threshold = 4

        http_get {
          path = "/healthz"
        }
      }

      volume_mounts {
        name       = "config"
        mount_path = "/etc/runner-pool"
      }
    }

    volumes {
      name = "config"

      secret {
        secret = google_secret_manager_secret.config.secret_id

        items {
          path    = "runner-pool.yaml"
          version = google_secret_manager_secret_version.config.version
        }
      }
    }
  }

  # Without its rights the first revision would not start.
  depends_on = [
    google_project_iam_member.scaler,
    google_secret_manager_secret_iam_member.scaler,
    google_storage_bucket_iam_member.scaler,
  ]
}

# The clock: a sweep of all repositories each minute, so that no webhook that was lost is missed for longer.
resource "google_cloud_scheduler_job" "tick" {
  count = var.image == null ? 0 : 1

  project          = var.project
  region           = coalesce(var.scheduler_region, var.region)
  name             = local.tick
  description      = "Tells the scaler of deployment ${var.deployment} to look now."
  schedule         = "* * * * *"
  attempt_deadline = "300s"

  http_target {
    http_method = "POST"
    uri         = "${local.url}/tick"

    oidc_token {
      service_account_email = google_service_account.clock.email
      audience              = local.url
    }
  }

  depends_on = [google_cloud_run_v2_service.scaler]
}
