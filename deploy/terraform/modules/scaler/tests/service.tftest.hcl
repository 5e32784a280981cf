# What the module makes of its inputs, and which inputs it refuses. No cloud: the provider is a mock.

mock_provider "google" {}

variables {
  project        = "acme-ci"
  project_number = "123456789"
  region         = "us-central1"
  deployment     = "ci"
  image          = "us-central1-docker.pkg.dev/acme-ci/runner-pool/scaler:1"
  settings = {
    github = { app_id = "Iv23liAbCdEfGhIjKlMn", organization = "acme" }
    pools  = [{ name = "linux", labels = ["self-hosted", "linux"], max = 10 }]
  }
}

run "one_instance_is_always_there" {
  assert {
    condition = (
      google_cloud_run_v2_service.scaler[0].template[0].scaling[0].min_instance_count == 1
      && google_cloud_run_v2_service.scaler[0].template[0].scaling[0].max_instance_count == 1
      && google_cloud_run_v2_service.scaler[0].template[0].containers[0].resources[0].cpu_idle == false
      && google_cloud_run_v2_service.scaler[0].template[0].max_instance_request_concurrency == 1000
    )
    error_message = "The scaler is one instance with instance-based billing and room for a thousand polls."
  }
}

run "the_clock_ticks_each_minute_as_itself" {
  assert {
    condition = (
      google_cloud_scheduler_job.tick[0].schedule == "* * * * *"
      && google_cloud_scheduler_job.tick[0].http_target[0].http_method == "POST"
      && google_cloud_scheduler_job.tick[0].http_target[0].uri == "https://ci-scaler-123456789.us-central1.run.app/tick"
      && google_cloud_scheduler_job.tick[0].http_target[0].oidc_token[0].audience == output.url
      && google_cloud_scheduler_job.tick[0].http_target[0].oidc_token[0].service_account_email == google_service_account.clock.email
    )
    error_message = "The tick is not a POST with an identity token for this service."
  }
}

run "nothing_of_an_old_record_is_kept" {
  assert {
    condition = (
      google_storage_bucket.records.versioning[0].enabled == false
      && google_storage_bucket.records.soft_delete_policy[0].retention_duration_seconds == 0
      && google_storage_bucket.records.uniform_bucket_level_access
      && google_storage_bucket.records.public_access_prevention == "enforced"
    )
    error_message = "An old record must not come back, and the records are nobody else's."
  }
}

run "a_second_loss_is_told_of_too" {
  assert {
    condition = alltrue([
      for policy in [google_monitoring_alert_policy.lost, google_monitoring_alert_policy.runner_ends] :
      policy.alert_strategy[0].auto_close == "1800s"
      && policy.conditions[0].condition_threshold[0].evaluation_missing_data == "EVALUATION_MISSING_DATA_INACTIVE"
    ])
    error_message = "An incident that one event opens must close by itself, or the next event is silent for seven days."
  }
}

run "a_scaler_that_has_never_ticked_is_noticed_by_the_clock" {
  assert {
    condition = (
      strcontains(google_logging_metric.failed_calls.filter, "job_id=\"${google_cloud_scheduler_job.tick[0].name}\"")
      && strcontains(google_monitoring_alert_policy.unanswered.conditions[0].condition_threshold[0].filter, google_logging_metric.failed_calls.name)
    )
    error_message = "Without a first tick the absence of ticks says nothing; the failures of the clock's job must."
  }
}

run "the_configuration_of_an_older_revision_is_left_to_it" {
  assert {
    condition     = google_secret_manager_secret_version.config.deletion_policy == "ABANDON"
    error_message = "A revision that goes on because the next one did not start would lose its configuration."
  }
}

run "without_an_image_there_is_no_service_and_no_clock" {
  variables {
    image = null
  }

  assert {
    condition     = length(google_cloud_run_v2_service.scaler) == 0 && length(google_cloud_scheduler_job.tick) == 0
    error_message = "The first apply must not need an image."
  }

  assert {
    condition     = output.webhook_url == "https://ci-scaler-123456789.us-central1.run.app/webhooks/github"
    error_message = "The URL of the webhook must be known before there is a service."
  }
}

run "the_url_cannot_be_set_from_outside" {
  command = plan

  variables {
    settings = {
      github  = { app_id = "1", organization = "acme" }
      pools   = [{ name = "linux", labels = ["linux"], max = 1 }]
      service = { url = "https://elsewhere.example" }
    }
  }

  expect_failures = [var.settings]
}

run "a_key_in_the_settings_is_refused" {
  command = plan

  variables {
    settings = {
      github = { app_id = "1", organization = "acme", private_key = "env:KEY" }
      pools  = [{ name = "linux", labels = ["linux"], max = 1 }]
    }
  }

  expect_failures = [var.settings]
}

run "settings_without_a_pool_are_refused" {
  command = plan

  variables {
    settings = { github = { app_id = "1", organization = "acme" }, pools = [] }
  }

  expect_failures = [var.settings]
}

run "more_instances_than_one_scaler_can_hold_the_requests_of_are_refused" {
  command = plan

  variables {
    settings = {
      github        = { app_id = "1", organization = "acme" }
      pools         = [{ name = "linux", labels = ["linux"], max = 1 }]
      max_instances = 901
    }
  }

  expect_failures = [var.settings]
}

run "an_id_in_the_place_of_the_projects_number_is_refused" {
  command = plan

  variables {
    project_number = "acme-ci"
  }

  expect_failures = [var.project_number]
}

run "a_long_deployment_is_refused" {
  command = plan

  variables {
    deployment = "twenty-three-characters"
  }

  expect_failures = [var.deployment]
}

run "half_a_vcpu_is_refused" {
  command = plan

  variables {
    cpu = 0.5
  }

  expect_failures = [var.cpu]
}

run "an_alert_shorter_than_the_log_is_refused" {
  command = plan

  variables {
    alert_after = { silent = 60 }
  }

  expect_failures = [var.alert_after]
}
