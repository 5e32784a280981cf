# The smallest deployment: one scaler, one pool of up to eight instances, alerts by e-mail.
#
# The first apply makes everything that needs no image. Then fill the secrets, push the images, and apply again with
# scaler_image and runner_image: docs/how-to/install.md goes through it.

locals {
  deployment = "ci"

  # As many cells as the pool's max and a fifth more, each of size 8: docs/reference/cells.md. A cell without jobs costs nothing.
  size  = 8
  cells = { for number in range(1, 11) : "ci-linux-${number}" => local.size }
}

resource "google_project_service" "api" {
  for_each = toset([
    "artifactregistry.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "cloudscheduler.googleapis.com",
    "iam.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
  ])

  project            = var.project
  service            = each.key
  disable_on_destroy = false
}

resource "google_artifact_registry_repository" "images" {
  project       = var.project
  location      = var.region
  repository_id = "runner-pool"
  description   = "Images of scaler and runners"
  format        = "DOCKER"

  # Runner images are built every week. One push of docker's may count as three versions (index, image, attestation), so these
  # are at least the newest five builds: enough to go back.
  cleanup_policies {
    id     = "keep-newest"
    action = "KEEP"

    most_recent_versions {
      keep_count = 15
    }
  }

  cleanup_policies {
    id     = "delete-older"
    action = "DELETE"

    condition {
      older_than = "2592000s"
    }
  }

  depends_on = [google_project_service.api]
}

resource "google_monitoring_notification_channel" "admins" {
  project      = var.project
  display_name = "runner-pool"
  type         = "email"
  labels       = { email_address = var.alert_email }

  depends_on = [google_project_service.api]
}

data "google_project" "this" {
  project_id = var.project
}

module "scaler" {
  source = "../../modules/scaler"

  project               = var.project
  project_number        = data.google_project.this.number # outside of the module, so that `depends_on` does not put it off
  region                = var.region
  deployment            = local.deployment
  image                 = var.scaler_image
  notification_channels = [google_monitoring_notification_channel.admins.name]

  settings = {
    max_instances = 8
    github = {
      app_id       = var.app_id
      organization = var.organization
    }
    pools = [
      {
        name   = "linux"
        labels = ["self-hosted", "linux", "x64"]
        max    = 8
      },
    ]
  }

  depends_on = [google_project_service.api]
}

module "linux" {
  source = "../../modules/runner_pool"
  count  = var.runner_image == null ? 0 : 1

  project        = var.project
  region         = var.region
  deployment     = local.deployment
  pool           = "linux"
  cells          = local.cells
  image          = var.runner_image
  scaler_url     = module.scaler.url
  scaler_account = module.scaler.account

  # A young project has 20 vCPU and 40 GiB in a region. Eight of these fit, beside the scaler and, while it is replaced, its
  # successor. Files are memory too, so ask for more of it before you give real jobs to the pool: docs/how-to/install.md
  cpu    = 2
  memory = "4Gi"
}
