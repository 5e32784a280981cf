# Two pools under one scaler: one for everyday jobs with a database beside them, one with a GPU. A job belongs to the pool that
# has all of its labels and the fewest others, so only a job that asks for `gpu` takes a GPU.
# APIs, registry and a notification channel are made here as in the minimal example, or by others before.
#
# All of it at once, with two scalers while one replaces the other, is 218 vCPU, 705 GiB of memory, 400 GB of disks and 4 GPUs
# in the region. A young project has 20 vCPU, 40 GiB, 100 GB and perhaps no GPU: ask for quota first, or lower each `max`.

locals {
  deployment = "ci"

  # As many cells as a pool's max and a fifth more. An instance with a GPU is dear, so its cells hold one each and close with it.
  linux_size = 8
  linux      = { for number in range(1, 49) : "ci-linux-${number}" => local.linux_size }
  gpu_size   = 1
  gpu        = { for number in range(1, 6) : "ci-gpu-${number}" => local.gpu_size }
}

data "google_project" "this" {
  project_id = var.project
}

module "scaler" {
  source = "../../modules/scaler"

  project        = var.project
  project_number = data.google_project.this.number
  region         = var.region
  deployment     = local.deployment
  image          = var.scaler_image

  settings = {
    timezone      = "Europe/Berlin"
    max_instances = 44
    github = {
      app_id       = var.app_id
      organization = var.organization
    }
    cloud_run = {
      writes_per_minute = 60 # what this project's quota is; young projects have 30
    }
    pools = [
      {
        name   = "linux"
        labels = ["self-hosted", "linux", "x64"]
        max    = 40
        schedule = [
          { days = "mon-fri", hours = "08:00-19:00", warm = 4 },
        ]
      },
      {
        name        = "gpu"
        labels      = ["self-hosted", "linux", "x64", "gpu"]
        max         = 4
        job_timeout = "2h"
        linger      = "1m"
      },
    ]
  }

  alert_after = {
    queued = 1800
  }
}

module "linux" {
  source = "../../modules/runner_pool"
  count  = var.runner_images == null ? 0 : 1

  project        = var.project
  region         = var.region
  deployment     = local.deployment
  pool           = "linux"
  cells          = local.linux
  image          = var.runner_images.linux
  scaler_url     = module.scaler.url
  scaler_account = module.scaler.account
  cpu            = 4
  memory         = "14Gi"
  work_disk      = "10Gi" # an instance may have 10 GB until the project asks for more

  network = var.subnetwork == null ? null : { subnetwork = var.subnetwork, tags = ["runner"] }

  # Steps find it at localhost:5432, in the place of `services: postgres`.
  sidecars = {
    postgres = {
      image       = "docker.io/library/postgres:17"
      environment = { POSTGRES_HOST_AUTH_METHOD = "trust" }
      memory      = "2Gi"
      port        = 5432
    }
  }
}

module "gpu" {
  source = "../../modules/runner_pool"
  count  = var.runner_images == null ? 0 : 1

  project        = var.project
  region         = var.region
  deployment     = local.deployment
  pool           = "gpu"
  cells          = local.gpu
  image          = var.runner_images.gpu
  scaler_url     = module.scaler.url
  scaler_account = module.scaler.account
  cpu            = 4
  memory         = "16Gi"

  gpu = { accelerator = "nvidia-l4" }
}
