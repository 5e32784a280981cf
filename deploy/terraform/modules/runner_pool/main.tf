# All cells of one pool. Terraform makes them, each with count 0; it never changes them afterwards.

# The account of every instance, and so of every step of every job: any process in the container can get its tokens.
# It must not have a role, here or anywhere else.
resource "google_service_account" "runners" {
  project      = var.project
  account_id   = coalesce(var.account_id, "${var.deployment}-${var.pool}")
  display_name = "Runners of pool ${var.pool}: every step of a job can act as this account, so it has no role"

  lifecycle {
    precondition {
      condition     = var.account_id != null || can(regex("^[a-z][-a-z0-9]{4,28}[a-z0-9]$", "${var.deployment}-${var.pool}"))
      error_message = "DEPLOYMENT-POOL makes no name for a service account (6 to 30 characters); set account_id."
    }
  }
}

# Cloud Run asks of whoever changes a worker pool that he may act as its account. The scaler changes the count, so it may,
# for this account alone; nobody gets a role by it, since the account has none.
resource "google_service_account_iam_member" "scaler_acts_as_runners" {
  service_account_id = google_service_account.runners.name
  role               = "roles/iam.serviceAccountUser"
  member             = "serviceAccount:${var.scaler_account}"
}

# With a cell's secret and its account's identity an instance proves to the scaler which cell it is of.
# https://registry.terraform.io/providers/hashicorp/random/latest/docs/resources/password
resource "random_password" "cell_secret" {
  for_each = var.cells

  length  = 43
  special = false

  lifecycle {
    ignore_changes = all
  }
}

resource "google_cloud_run_v2_worker_pool" "cell" {
  for_each = var.cells

  project             = var.project
  location            = var.region
  name                = each.key
  description         = "Cell of pool ${var.pool}, deployment ${var.deployment}. Made by Terraform, changed by runner-pool."
  deletion_protection = var.deletion_protection
  launch_stage        = var.launch_stage

  labels = {
    runner-pool-deployment = var.deployment
    runner-pool-pool       = var.pool
    runner-pool-size       = tostring(each.value)
  }

  # The scaler raises the count when jobs are queued. An automatic mode would stop busy instances.
  scaling {
    scaling_mode          = "MANUAL"
    manual_instance_count = 0
  }

  template {
    service_account               = google_service_account.runners.email
    gpu_zonal_redundancy_disabled = var.gpu == null ? null : !var.gpu.zonal_redundancy

    # The runner's container must be the first: the scaler reads the cell's secret there.
    containers {
      name       = "runner"
      image      = var.image
      depends_on = [for name, sidecar in var.sidecars : name if sidecar.port != null]

      # A plain value, not a reference to Secret Manager: a reference is resolved with the account of the instance, so that
      # account would need access to the secret, and every step of a job can use the account. The agent (root) keeps the
      # value from the runner (another user). docs/adr/0005-the-secret-of-a-cell-stands-in-its-template.md
      env {
        name  = "RUNNER_POOL_CELL_SECRET"
        value = random_password.cell_secret[each.key].result
      }

      dynamic "env" {
        for_each = merge(var.environment, { RUNNER_POOL_SCALER_URL = var.scaler_url })
        content {
          name  = env.key
          value = env.value
        }
      }

      resources {
        limits = merge(
          { cpu = tostring(var.cpu), memory = var.memory },
          var.gpu == null ? {} : { "nvidia.com/gpu" = "1" },
        )
      }

      dynamic "volume_mounts" {
        for_each = local.mounts
        content {
          name       = volume_mounts.key
          mount_path = volume_mounts.value
        }
      }
    }

    dynamic "containers" {
      for_each = var.sidecars
      content {
        name    = containers.key
        image   = containers.value.image
        command = containers.value.command
        args    = containers.value.args

        dynamic "env" {
          for_each = containers.value.environment
          content {
            name  = env.key
            value = env.value
          }
        }

        resources {
          limits = { cpu = containers.value.cpu, memory = containers.value.memory }
        }

        dynamic "startup_probe" {
          for_each = containers.value.port == null ? [] : [containers.value.port]
          content {
            period_seconds    = 1
            timeout_seconds   = 1
            failure_threshold = 120

            tcp_socket {
              port = startup_probe.value
            }
          }
        }
      }
    }

    dynamic "volumes" {
      for_each = local.volumes
      content {
        name = volumes.key

        dynamic "empty_dir" {
          for_each = volumes.value.medium == null ? [] : [volumes.value]
          content {
            medium     = empty_dir.value.medium
            size_limit = empty_dir.value.size
          }
        }

        dynamic "gcs" {
          for_each = volumes.value.bucket == null ? [] : [volumes.value]
          content {
            bucket    = gcs.value.bucket
            read_only = gcs.value.read_only
          }
        }

        dynamic "nfs" {
          for_each = volumes.value.nfs == null ? [] : [volumes.value]
          content {
            server    = nfs.value.nfs.server
            path      = nfs.value.nfs.path
            read_only = nfs.value.read_only
          }
        }
      }
    }

    dynamic "node_selector" {
      for_each = var.gpu == null ? [] : [var.gpu]
      content {
        accelerator = node_selector.value.accelerator
      }
    }

    dynamic "vpc_access" {
      for_each = var.network == null ? [] : [var.network]
      content {
        egress = vpc_access.value.egress

        network_interfaces {
          network    = vpc_access.value.network
          subnetwork = vpc_access.value.subnetwork
          tags       = vpc_access.value.tags
        }
      }
    }
  }

  # From here on the cell belongs to runner-pool. An update by Terraform sends the whole object, its count included, without a
  # mask and without an etag: it would lower counts beside running jobs, and any change of the template replaces all instances
  # at once. `runner-pool rollout`, `resize`, `drain` and `destroy` change a cell only while nothing runs in it. New cells and
  # new values in this module reach new cells only.
  lifecycle {
    ignore_changes = all
  }
}

locals {
  # The least and the most MiB that an instance with so many vCPU can have.
  memory_mi_for = { "1" = [512, 4096], "2" = [512, 8192], "4" = [2048, 16384], "6" = [4096, 24576], "8" = [4096, 32768] }

  # Where GitHub's runner keeps what a job checks out and builds; the image makes the folder for the disk to be mounted on.
  work_folder = "/home/runner/_work"

  disks = { for name, volume in var.volumes : name => { medium = "DISK", size = volume.disk } if volume.disk != null }
  rooms = { for name, volume in var.volumes : name => { medium = "MEMORY", size = volume.memory } if volume.memory != null }
  work  = var.work_disk == null ? {} : { work = { medium = "DISK", size = var.work_disk } }

  volumes = merge(
    {
      for name, room in merge(local.disks, local.rooms, local.work) :
      name => { medium = room.medium, size = room.size, bucket = null, nfs = null, read_only = false }
    },
    {
      for name, volume in var.volumes :
      name => { medium = null, size = null, bucket = volume.bucket, nfs = volume.nfs, read_only = volume.read_only }
      if volume.bucket != null || volume.nfs != null
    },
  )

  mounts = merge(
    { for name, volume in var.volumes : name => volume.mount_path },
    var.work_disk == null ? {} : { work = local.work_folder },
  )
}
