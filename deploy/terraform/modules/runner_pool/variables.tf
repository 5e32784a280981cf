variable "project" {
  description = "The Google Cloud project of the cells, by id."
  type        = string
  nullable    = false
}

variable "region" {
  description = "The region of the cells; the same as the scaler's."
  type        = string
  nullable    = false
}

variable "deployment" {
  description = "The owner's name on each cell: `deployment` of the scaler's configuration."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([-a-z0-9]{0,28}[a-z0-9])?$", var.deployment))
    error_message = "A deployment is named by 1 to 30 lower-case letters, digits and dashes, and begins with a letter."
  }
}

variable "pool" {
  description = "The pool that the cells serve: the `name` of a pool in the scaler's configuration."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([-a-z0-9]{0,40}[a-z0-9])?$", var.pool))
    error_message = "A pool is named here by 1 to 42 lower-case letters, digits and dashes, and begins with a letter."
  }
}

variable "cells" {
  description = "The cells: name of the worker pool => its size, the most instances of it. How many and how large: docs/reference/cells.md."
  type        = map(number)
  nullable    = false

  validation {
    condition     = length(var.cells) > 0
    error_message = "A pool without a cell starts no instance. Give it as many as its max and a fifth more, up to 60, each of size 8."
  }

  validation {
    condition     = alltrue([for name in keys(var.cells) : can(regex("^[a-z]([-a-z0-9]{0,47}[a-z0-9])?$", name))])
    error_message = "A worker pool is named by 1 to 49 lower-case letters, digits and dashes, and begins with a letter."
  }

  validation {
    condition     = alltrue([for size in values(var.cells) : size >= 1 && size <= 100 && size == floor(size)])
    error_message = "The size of a cell is a whole number from 1 to 100; the scaler refuses any other."
  }
}

variable "image" {
  description = "The image of the instances, with the agent as its entrypoint (Dockerfile.runner). Read once, when a cell is made; afterwards `runner-pool rollout` changes it."
  type        = string
  nullable    = false

  validation {
    condition     = length(trimspace(var.image)) > 0
    error_message = "Name the image that was pushed, such as REGION-docker.pkg.dev/PROJECT/REPOSITORY/runner:TAG."
  }
}

variable "scaler_url" {
  description = "Where the instances ask for leases: output `url` of the module scaler."
  type        = string
  nullable    = false

  validation {
    condition     = startswith(var.scaler_url, "https://")
    error_message = "Instances show their identity and secret to this address, so it must begin with https://."
  }
}

variable "scaler_account" {
  description = "E-mail of the scaler's account: output `account` of the module scaler. It may change worker pools that run as the account of this pool."
  type        = string
  nullable    = false
}

variable "account_id" {
  description = "Name of the runners' service account, which gets no role. Default: DEPLOYMENT-POOL."
  type        = string
  default     = null

  validation {
    condition     = var.account_id == null || can(regex("^[a-z][-a-z0-9]{4,28}[a-z0-9]$", var.account_id))
    error_message = "A service account is named by 6 to 30 lower-case letters, digits and dashes, and begins with a letter."
  }
}

variable "cpu" {
  description = "vCPU of the runner's container: 1, 2, 4, 6 or 8. Sidecars come on top; one instance has at most 8."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = contains([1, 2, 4, 6, 8], var.cpu)
    error_message = "Cloud Run gives the instance of a worker pool 1, 2, 4, 6 or 8 vCPU."
  }
}

variable "memory" {
  description = "Memory of the runner's container, such as 16Gi. Files outside of disks count as memory."
  type        = string
  default     = "16Gi"
  nullable    = false

  validation {
    condition     = can(regex("^[1-9][0-9]*(Mi|Gi)$", var.memory))
    error_message = "Write the memory as a whole number with Mi or Gi, such as 512Mi or 16Gi."
  }

  # https://cloud.google.com/run/docs/configuring/workerpools/cpu
  validation {
    condition = !can(regex("^[1-9][0-9]*(Mi|Gi)$", var.memory)) || try(anytrue([
      for memory in [tonumber(trimsuffix(trimsuffix(var.memory, "Gi"), "Mi")) * (endswith(var.memory, "Gi") ? 1024 : 1)] :
      memory >= local.memory_mi_for[var.cpu][0] && memory <= local.memory_mi_for[var.cpu][1]
    ]), true)
    error_message = "Cloud Run gives 1 vCPU 512Mi to 4Gi, 2 vCPU up to 8Gi, 4 vCPU 2Gi to 16Gi, 6 vCPU 4Gi to 24Gi, 8 vCPU 4Gi to 32Gi."
  }
}

variable "work_disk" {
  description = "Size of a disk for the runner's work folder, such as 10Gi; null: the work folder is memory. A project has 10 GB for each instance and 100 GB in a region until it asks for more. The disk lives as long as the instance, so the agent empties it for each job."
  type        = string
  default     = null

  validation {
    condition     = var.work_disk == null || can(regex("^[1-9][0-9]*Gi$", var.work_disk))
    error_message = "Write the size of the disk as a whole number with Gi, such as 10Gi."
  }
}

variable "gpu" {
  description = "One GPU for each instance: `accelerator` such as nvidia-l4; null: none. The quota for GPUs may be zero until asked for: docs/how-to/gpu.md."
  type = object({
    accelerator      = optional(string, "nvidia-l4")
    zonal_redundancy = optional(bool, false)
  })
  default = null

  # https://cloud.google.com/run/docs/configuring/workerpools/gpu
  validation {
    condition = try(var.gpu.accelerator, "") != "nvidia-l4" || try(
      var.cpu >= 4 && tonumber(trimsuffix(trimsuffix(var.memory, "Gi"), "Mi")) * (endswith(var.memory, "Gi") ? 1024 : 1) >= 16384,
      true,
    )
    error_message = "An nvidia-l4 needs at least 4 vCPU and 16Gi."
  }

  validation {
    condition     = !startswith(try(var.gpu.accelerator, ""), "nvidia-rtx-pro-6000")
    error_message = "An nvidia-rtx-pro-6000 needs 20 vCPU and 80Gi, and an instance of this module has 8 and 32Gi at most."
  }
}

variable "launch_stage" {
  description = "Cloud Run's launch stage of the cells, such as BETA, if a feature that they use is refused without it; null: Google's own default."
  type        = string
  default     = null

  validation {
    condition     = var.launch_stage == null || contains(["ALPHA", "BETA", "GA"], coalesce(var.launch_stage, "GA"))
    error_message = "launch_stage is ALPHA, BETA or GA."
  }
}

variable "network" {
  description = "Where the instances' traffic leaves: direct VPC egress through a network or subnetwork, with `egress` PRIVATE_RANGES_ONLY or ALL_TRAFFIC; null: the internet. GitHub and the scaler must stay within reach."
  type = object({
    network    = optional(string)
    subnetwork = optional(string)
    tags       = optional(list(string), [])
    egress     = optional(string, "PRIVATE_RANGES_ONLY")
  })
  default = null

  validation {
    condition     = var.network == null || try(var.network.network, null) != null || try(var.network.subnetwork, null) != null
    error_message = "Name the network or the subnetwork, or both."
  }

  validation {
    condition     = var.network == null || contains(["PRIVATE_RANGES_ONLY", "ALL_TRAFFIC"], try(var.network.egress, ""))
    error_message = "egress is PRIVATE_RANGES_ONLY or ALL_TRAFFIC."
  }
}

variable "environment" {
  description = "More variables for the agent (docs/reference/agent.md); the runner and the steps of jobs see those that the agent hands on."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = length(setintersection(keys(var.environment), [
      "RUNNER_POOL_CELL_SECRET", "RUNNER_POOL_SCALER_URL", "RUNNER_POOL_REGISTRATION", "RUNNER_POOL_CELL",
    ])) == 0
    error_message = "The cell's secret, its name, the scaler's URL and the registration are set by this module; leave them out."
  }
}

variable "volumes" {
  description = "More volumes for the runner's container: name => mount path and one of `disk` (size), `memory` (size), `bucket` (name) or `nfs` (server and path). A bucket is read with the runners' account, which has no role: grant it on that bucket alone, and know that every step can do the same."
  type = map(object({
    mount_path = string
    disk       = optional(string)
    memory     = optional(string)
    bucket     = optional(string)
    nfs        = optional(object({ server = string, path = string }))
    read_only  = optional(bool, true)
  }))
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for volume in values(var.volumes) :
      length([for kind in [volume.disk, volume.memory, volume.bucket, volume.nfs] : true if kind != null]) == 1
    ])
    error_message = "Each volume is exactly one of disk, memory, bucket and nfs."
  }

  validation {
    condition     = !contains(keys(var.volumes), "work")
    error_message = "The name work is the work folder's; set work_disk, or choose another name."
  }
}

variable "sidecars" {
  description = "Containers beside the runner, such as a database instead of `services:`: name => image, command, environment, cpu, memory, and `port`, on which the sidecar must answer before the runner starts. At localhost for the steps. It may outlive a job: see docs/how-to/add-a-pool.md."
  type = map(object({
    image       = string
    command     = optional(list(string), [])
    args        = optional(list(string), [])
    environment = optional(map(string), {})
    cpu         = optional(string, "1")
    memory      = optional(string, "1Gi")
    port        = optional(number)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = length(var.sidecars) <= 9 && !contains(keys(var.sidecars), "runner")
    error_message = "An instance has at most ten containers; one of them is the runner, and the name runner is its own."
  }
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete a cell. Deleting one stops what runs in it, so leave it on and use `runner-pool destroy`. Read once, when a cell is made."
  type        = bool
  default     = true
  nullable    = false
}
