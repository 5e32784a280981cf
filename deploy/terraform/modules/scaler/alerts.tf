# Figures from the scaler's log, and who is told when one of them is bad. docs/how-to/alerts.md says what to do then.
# The keys are those of docs/reference/service.md; a test runs real lines of the scaler through these filters.

locals {
  lines = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"${local.name}\""
  shown = "resource.type=\"cloud_run_revision\" AND metric.type=\"logging.googleapis.com/user/"
}

resource "google_logging_metric" "ticks" {
  project     = var.project
  name        = "${local.name}/ticks"
  description = "Ticks of the scaler that leads, as far as they are told: once a minute at least."
  filter      = "${local.lines} AND jsonPayload.message=\"tick\" AND jsonPayload.leads=true"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }
}

resource "google_logging_metric" "oldest_queued" {
  project         = var.project
  name            = "${local.name}/oldest_queued_seconds"
  description     = "How long the oldest job waits that a pool should serve now."
  filter          = "${local.lines} AND jsonPayload.message=\"tick\" AND jsonPayload.leads=true AND jsonPayload.oldest_queued_seconds>=0"
  value_extractor = "EXTRACT(jsonPayload.oldest_queued_seconds)"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = "s"
  }
}

resource "google_logging_metric" "missing_instances" {
  project         = var.project
  name            = "${local.name}/missing_instances"
  description     = "Instances that are wanted and not there, over all pools."
  filter          = "${local.lines} AND jsonPayload.message=\"tick\" AND jsonPayload.leads=true AND jsonPayload.missing_instances>=0"
  value_extractor = "EXTRACT(jsonPayload.missing_instances)"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = "1"
  }
}

resource "google_logging_metric" "lost" {
  project     = var.project
  name        = "${local.name}/lost"
  description = "Leases that ended as lost: the runner or its instance vanished under a job."
  filter      = "${local.lines} AND (jsonPayload.message=\"lease_ended\" OR jsonPayload.message=\"lease_removed\") AND jsonPayload.outcome=\"lost\""

  label_extractors = {
    pool = "EXTRACT(jsonPayload.pool)"
  }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    labels {
      key         = "pool"
      value_type  = "STRING"
      description = "The pool of the lease"
    }
  }
}

resource "google_logging_metric" "runner_ends" {
  project     = var.project
  name        = "${local.name}/runner_ends"
  description = "Warnings, once a day from a week before, that GitHub will give the runners of a pool no more jobs."
  filter      = "${local.lines} AND jsonPayload.message=\"runner_version_ends\""

  label_extractors = {
    pool = "EXTRACT(jsonPayload.pool)"
  }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    labels {
      key         = "pool"
      value_type  = "STRING"
      description = "The pool whose image has the old runner"
    }
  }
}

# The clock's own log, so that a scaler that has never ticked, or answers nothing, is noticed too.
# https://cloud.google.com/scheduler/docs/logging
resource "google_logging_metric" "failed_calls" {
  project     = var.project
  name        = "${local.name}/failed_calls"
  description = "Calls of the clock that the scaler did not answer, or refused."
  filter      = "resource.type=\"cloud_scheduler_job\" AND resource.labels.job_id=\"${local.tick}\" AND severity>=ERROR"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }
}

resource "google_monitoring_alert_policy" "silent" {
  project               = var.project
  display_name          = "${local.name}: no tick"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = var.notification_channels

  # Two conditions, because a log-based metric without lines may say zero or say nothing. Neither can be met before a first tick:
  # https://cloud.google.com/monitoring/alerts/metric-absence. The next policy can.
  conditions {
    display_name = "no tick was told of"

    condition_threshold {
      filter                  = "${local.shown}${google_logging_metric.ticks.name}\""
      comparison              = "COMPARISON_LT"
      threshold_value         = 1
      duration                = "60s" # the least with which missing data can count as bad
      evaluation_missing_data = "EVALUATION_MISSING_DATA_ACTIVE"

      aggregations {
        alignment_period     = "${var.alert_after.silent}s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  conditions {
    display_name = "the figure is absent"

    condition_absent {
      filter   = "${local.shown}${google_logging_metric.ticks.name}\""
      duration = "${var.alert_after.silent}s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "The scaler of `${var.deployment}` has not decided anything for ${var.alert_after.silent} s. Running jobs go on; queued jobs wait, and instances without a job stay and are billed. What to do: docs/how-to/alerts.md, \"no tick\"."
  }
}

# Apart from the silence, because a clock can wait in vain while the scaler works: a call lasts as long as a sweep, and GitHub's
# pauses can hold a sweep for longer than the clock waits.
resource "google_monitoring_alert_policy" "unanswered" {
  project               = var.project
  display_name          = "${local.name}: the clock is not answered"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = var.notification_channels

  # More than one in twelve minutes: a call that hangs fails after five, and the next begins then.
  conditions {
    display_name = "the clock's calls fail"

    condition_threshold {
      filter                  = "resource.type=\"cloud_scheduler_job\" AND metric.type=\"logging.googleapis.com/user/${google_logging_metric.failed_calls.name}\""
      comparison              = "COMPARISON_GT"
      threshold_value         = 1
      duration                = "60s"
      evaluation_missing_data = "EVALUATION_MISSING_DATA_INACTIVE"

      aggregations {
        alignment_period     = "720s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Calls of the clock to the scaler of `${var.deployment}` fail. Either it does not answer at all, perhaps never did, or its sweeps take longer than five minutes. What to do: docs/how-to/alerts.md, \"the clock is not answered\"."
  }
}

resource "google_monitoring_alert_policy" "oldest_queued" {
  project               = var.project
  display_name          = "${local.name}: a job waits too long"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = var.notification_channels

  conditions {
    display_name = "the oldest queued job waits for more than ${var.alert_after.queued} s"

    condition_threshold {
      filter          = "${local.shown}${google_logging_metric.oldest_queued.name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = var.alert_after.queued
      duration        = "120s"

      # The mean of a distribution is exact; a percentile is a guess within a bucket. A quiet scaler is told of once a minute
      # or a little less often, so two minutes are the shortest period that never lacks a line.
      aggregations {
        alignment_period     = "120s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_MEAN"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "A job that a pool of `${var.deployment}` should serve has waited for more than ${var.alert_after.queued} s. What to do: docs/how-to/alerts.md, \"a job waits too long\"."
  }
}

resource "google_monitoring_alert_policy" "missing_instances" {
  project               = var.project
  display_name          = "${local.name}: wanted instances do not come"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = var.notification_channels

  conditions {
    display_name = "fewer instances than wanted for ${var.alert_after.missing} s"

    condition_threshold {
      filter          = "${local.shown}${google_logging_metric.missing_instances.name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "${var.alert_after.missing}s"

      aggregations {
        alignment_period     = "120s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_MEAN"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Pools of `${var.deployment}` have had fewer instances than wanted for ${var.alert_after.missing} s. What to do: docs/how-to/alerts.md, \"wanted instances do not come\"."
  }
}

resource "google_monitoring_alert_policy" "lost" {
  project               = var.project
  display_name          = "${local.name}: a job was lost"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = var.notification_channels

  # One event opens an incident, and while it is open another says nothing. So missing data count as good, and without any the
  # incident closes after half an hour, which is the least, and not after the seven days that Google would take.
  alert_strategy {
    auto_close = "1800s"
  }

  conditions {
    display_name = "a runner or its instance vanished under a job"

    condition_threshold {
      filter                  = "${local.shown}${google_logging_metric.lost.name}\""
      comparison              = "COMPARISON_GT"
      threshold_value         = 0
      duration                = "60s" # the least with which missing data can count as good
      evaluation_missing_data = "EVALUATION_MISSING_DATA_INACTIVE"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.label.pool"]
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "A job of `${var.deployment}` lost its runner. The scaler stopped nothing; the line of the log names the cause. What to do: docs/how-to/alerts.md, \"a job was lost\"."
  }
}

resource "google_monitoring_alert_policy" "runner_ends" {
  project               = var.project
  display_name          = "${local.name}: a runner version ends"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = var.notification_channels

  # It closes before the next day's warning, which then is told again.
  alert_strategy {
    auto_close = "1800s"
  }

  conditions {
    display_name = "GitHub will soon give a pool's runners no more jobs"

    condition_threshold {
      filter                  = "${local.shown}${google_logging_metric.runner_ends.name}\""
      comparison              = "COMPARISON_GT"
      threshold_value         = 0
      duration                = "60s" # the least with which missing data can count as good
      evaluation_missing_data = "EVALUATION_MISSING_DATA_INACTIVE"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.label.pool"]
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "The image of a pool of `${var.deployment}` holds a runner that GitHub gives no more jobs within a week. What to do: docs/how-to/alerts.md, \"a runner version ends\"."
  }
}
