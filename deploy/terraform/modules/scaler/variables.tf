variable "project" {
  description = "The Google Cloud project of scaler and cells, by id. One of its own: the scaler may change every worker pool in it."
  type        = string
  nullable    = false
}

variable "project_number" {
  description = "The project's number, which is part of the service's URL."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]+$", var.project_number))
    error_message = "A project's number has digits only; its id is the input project."
  }
}

variable "region" {
  description = "The region of scaler and cells."
  type        = string
  nullable    = false
}

variable "deployment" {
  description = "The owner's name, on each cell and in each record; also the beginning of every name that this module gives."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([-a-z0-9]{0,20}[a-z0-9])?$", var.deployment))
    error_message = "A deployment is named by 1 to 22 lower-case letters, digits and dashes, and begins with a letter."
  }
}

variable "image" {
  description = "The image of the scaler (Dockerfile.scaler). null: make everything but the service and its clock, so that the secrets can be filled and the images pushed first."
  type        = string
  default     = null
}

variable "settings" {
  description = "The scaler's configuration as in docs/reference/configuration.md: `github`, `pools` and what else differs from its default. What this module knows itself is left out: `deployment`, `records`, `service`, project, region and the two secrets."
  type        = any
  nullable    = false

  validation {
    condition     = can(var.settings.github.app_id) && can(var.settings.pools[0].name)
    error_message = "settings needs github.app_id and at least one pool with a name."
  }

  validation {
    condition     = length(setintersection(keys(var.settings), ["deployment", "records", "service", "mode"])) == 0
    error_message = "deployment, records, service and mode are set by this module (the mode is leased); leave them out of settings."
  }

  validation {
    condition     = length(setintersection(keys(try(var.settings.github, {})), ["private_key", "webhook_secret"])) == 0
    error_message = "The App's key and the webhook's secret are values of Secret Manager secrets that this module makes; leave them out of settings."
  }

  # Each parked instance holds one request, and Cloud Run gives the one instance of the scaler a thousand at a time:
  # https://cloud.google.com/run/docs/about-concurrency
  validation {
    condition     = try(tonumber(var.settings.max_instances), 100) <= 900
    error_message = "max_instances is at most 900: each waiting instance holds one of the service's thousand requests, and webhooks, ticks and reports need the rest. Make a second deployment."
  }
}

variable "callers" {
  description = "E-mails of further accounts that may read /status and call /tick; Cloud Scheduler's may already."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "cpu" {
  description = "vCPU of the scaler's one instance."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = contains([1, 2, 4], var.cpu)
    error_message = "One vCPU serves a thousand waiting instances; 1, 2 and 4 can be set. Below 1 Cloud Run does not allow a concurrency above 1."
  }
}

variable "memory" {
  description = "Memory of the scaler's instance, such as 512Mi. It needs about 120 MiB for a thousand waiting instances."
  type        = string
  default     = "512Mi"
  nullable    = false

  validation {
    condition     = can(regex("^[1-9][0-9]*(Mi|Gi)$", var.memory))
    error_message = "Write the memory as a whole number with Mi or Gi, such as 512Mi."
  }
}

variable "scheduler_region" {
  description = "The region of the Cloud Scheduler job; null: that of the scaler. Needed where Cloud Scheduler has no such region."
  type        = string
  default     = null
}

variable "notification_channels" {
  description = "Names of the Cloud Monitoring channels that are told of an alert. Empty: incidents are only shown in the console."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "alert_after" {
  description = "When an alert is raised: `queued` seconds that a job waits, `missing` seconds in which fewer instances run than are wanted, `silent` seconds without a tick."
  type = object({
    queued  = optional(number, 900)
    missing = optional(number, 900)
    silent  = optional(number, 300)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for each in ["missing", "silent"] : var.alert_after[each] >= 120 && var.alert_after[each] % 60 == 0])
    error_message = "missing and silent are whole minutes, and at least two: the tick is told of once a minute."
  }

  validation {
    condition     = var.alert_after.queued > 0
    error_message = "queued is a number of seconds above 0."
  }
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete the service and the bucket of records. Without the records nothing starts."
  type        = bool
  default     = true
  nullable    = false
}
