# What the module makes of its inputs, and which inputs it refuses. No cloud: the provider is a mock.

mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = {
      name  = "projects/acme-ci/serviceAccounts/ci-linux@acme-ci.iam.gserviceaccount.com"
      email = "ci-linux@acme-ci.iam.gserviceaccount.com"
    }
  }
}

mock_provider "random" {}

variables {
  project        = "acme-ci"
  region         = "us-central1"
  deployment     = "ci"
  pool           = "linux"
  cells          = { ci-linux-1 = 8, ci-linux-2 = 1 }
  image          = "us-central1-docker.pkg.dev/acme-ci/runner-pool/runner:1"
  scaler_url     = "https://ci-scaler-123.us-central1.run.app"
  scaler_account = "ci-scaler@acme-ci.iam.gserviceaccount.com"
}

run "each_cell_carries_its_labels_and_begins_at_zero" {
  assert {
    condition = google_cloud_run_v2_worker_pool.cell["ci-linux-1"].labels == tomap({
      runner-pool-deployment = "ci", runner-pool-pool = "linux", runner-pool-size = "8"
    })
    error_message = "The labels are not those of docs/reference/cells.md."
  }

  assert {
    condition = alltrue([
      for cell in google_cloud_run_v2_worker_pool.cell :
      cell.scaling[0].scaling_mode == "MANUAL" && cell.scaling[0].manual_instance_count == 0 && cell.deletion_protection
    ])
    error_message = "A new cell must be in manual scaling, at zero, and protected."
  }

  assert {
    condition     = length(distinct([for cell in google_cloud_run_v2_worker_pool.cell : one([for each in cell.template[0].containers[0].env : each.value if each.name == "RUNNER_POOL_CELL_SECRET"])])) == 2
    error_message = "Two cells share a secret; the scaler refuses both."
  }

  assert {
    condition     = google_cloud_run_v2_worker_pool.cell["ci-linux-1"].template[0].service_account == google_service_account.runners.email
    error_message = "A cell runs as another account than the one without a role."
  }

  assert {
    condition     = google_service_account_iam_member.scaler_acts_as_runners.member == "serviceAccount:${var.scaler_account}"
    error_message = "Somebody else than the scaler may act as the runners."
  }
}

run "a_cell_that_is_there_is_not_changed_by_new_inputs" {
  variables {
    image      = "us-central1-docker.pkg.dev/acme-ci/runner-pool/runner:2"
    scaler_url = "https://moved.example"
    cells      = { ci-linux-1 = 1, ci-linux-2 = 1, ci-linux-3 = 1 }
    memory     = "8Gi"
  }

  assert {
    condition = { for name, cell in google_cloud_run_v2_worker_pool.cell : name => "${cell.template[0].containers[0].image} ${cell.labels["runner-pool-size"]}" } == {
      ci-linux-1 = "us-central1-docker.pkg.dev/acme-ci/runner-pool/runner:1 8"
      ci-linux-2 = "us-central1-docker.pkg.dev/acme-ci/runner-pool/runner:1 1"
      ci-linux-3 = "us-central1-docker.pkg.dev/acme-ci/runner-pool/runner:2 1"
    }
    error_message = "Terraform changed a cell that runner-pool owns, which can stop jobs; or a new cell did not get the new values."
  }
}

run "an_instance_is_as_large_as_asked_for" {
  variables {
    cells     = { large = 8 }
    cpu       = 8
    memory    = "32Gi"
    work_disk = "100Gi"
    volumes   = { cache = { mount_path = "/cache", bucket = "acme-cache" }, scratch = { mount_path = "/scratch", memory = "1Gi" } }
    network   = { subnetwork = "ci", egress = "ALL_TRAFFIC" }
  }

  assert {
    condition     = google_cloud_run_v2_worker_pool.cell["large"].template[0].containers[0].resources[0].limits == tomap({ cpu = "8", memory = "32Gi" })
    error_message = "cpu and memory do not reach the container."
  }

  assert {
    condition = { for mount in google_cloud_run_v2_worker_pool.cell["large"].template[0].containers[0].volume_mounts : mount.name => mount.mount_path } == {
      cache = "/cache", scratch = "/scratch", work = "/home/runner/_work"
    }
    error_message = "A volume is not mounted."
  }

  assert {
    condition = { for volume in google_cloud_run_v2_worker_pool.cell["large"].template[0].volumes : volume.name => try("${volume.empty_dir[0].medium} ${volume.empty_dir[0].size_limit}", "bucket ${volume.gcs[0].bucket}") } == {
      cache = "bucket acme-cache", scratch = "MEMORY 1Gi", work = "DISK 100Gi"
    }
    error_message = "A volume is of another kind than asked for."
  }

  assert {
    condition     = google_cloud_run_v2_worker_pool.cell["large"].template[0].vpc_access[0].egress == "ALL_TRAFFIC" && google_cloud_run_v2_worker_pool.cell["large"].template[0].vpc_access[0].network_interfaces[0].subnetwork == "ci"
    error_message = "The traffic does not leave through the subnetwork."
  }
}

run "a_gpu_is_a_limit_and_an_accelerator" {
  variables {
    cells        = { gpu = 8 }
    gpu          = {}
    launch_stage = "BETA"
  }

  assert {
    condition = (
      google_cloud_run_v2_worker_pool.cell["gpu"].template[0].node_selector[0].accelerator == "nvidia-l4"
      && google_cloud_run_v2_worker_pool.cell["gpu"].template[0].containers[0].resources[0].limits["nvidia.com/gpu"] == "1"
      && google_cloud_run_v2_worker_pool.cell["gpu"].template[0].gpu_zonal_redundancy_disabled == true
      && google_cloud_run_v2_worker_pool.cell["gpu"].launch_stage == "BETA"
    )
    error_message = "The GPU is not asked for as Cloud Run wants it."
  }
}

run "a_database_stands_behind_the_runner_and_starts_before_it" {
  variables {
    cells = { beside = 8 }
    sidecars = {
      postgres = { image = "docker.io/library/postgres:17", port = 5432, environment = { POSTGRES_HOST_AUTH_METHOD = "trust" } }
      mailbox  = { image = "docker.io/axllent/mailpit:v1.21" }
    }
  }

  assert {
    condition     = google_cloud_run_v2_worker_pool.cell["beside"].template[0].containers[0].name == "runner"
    error_message = "The runner must be the first container: the scaler reads the cell's secret there."
  }

  assert {
    condition     = google_cloud_run_v2_worker_pool.cell["beside"].template[0].containers[0].depends_on == tolist(["postgres"])
    error_message = "The runner waits for exactly the sidecars with a port."
  }

  assert {
    condition     = tolist([for each in google_cloud_run_v2_worker_pool.cell["beside"].template[0].containers : length([for pair in each.env : pair if pair.name == "RUNNER_POOL_CELL_SECRET"])]) == tolist([1, 0, 0])
    error_message = "The cell's secret is for the first container alone."
  }
}

run "a_name_of_an_account_that_is_too_long_is_refused" {
  command = plan

  variables {
    deployment = "a-company-with-a-long-name"
    pool       = "linux"
  }

  expect_failures = [google_service_account.runners]
}

run "a_size_that_the_scaler_refuses_is_refused_here" {
  command = plan

  variables {
    cells = { ci-linux-1 = 101 }
  }

  expect_failures = [var.cells]
}

run "half_an_instance_is_refused" {
  command = plan

  variables {
    cells = { ci-linux-1 = 1.5 }
  }

  expect_failures = [var.cells]
}

run "a_pool_without_cells_is_refused" {
  command = plan

  variables {
    cells = {}
  }

  expect_failures = [var.cells]
}

run "a_name_that_cloud_run_refuses_is_refused_here" {
  command = plan

  variables {
    cells = { "CI_Linux" = 1 }
  }

  expect_failures = [var.cells]
}

run "three_vcpu_are_refused" {
  command = plan

  variables {
    cpu = 3
  }

  expect_failures = [var.cpu]
}

run "more_memory_than_the_vcpu_allow_is_refused" {
  command = plan

  variables {
    cpu    = 2
    memory = "16Gi"
  }

  expect_failures = [var.memory]
}

run "a_gpu_without_its_machine_is_refused" {
  command = plan

  variables {
    cpu    = 4
    memory = "8Gi"
    gpu    = {}
  }

  expect_failures = [var.gpu]
}

run "a_gpu_that_needs_a_larger_machine_is_refused" {
  command = plan

  variables {
    gpu = { accelerator = "nvidia-rtx-pro-6000" }
  }

  expect_failures = [var.gpu]
}

run "a_launch_stage_that_cloud_run_does_not_have_is_refused" {
  command = plan

  variables {
    launch_stage = "PREVIEW"
  }

  expect_failures = [var.launch_stage]
}

run "memory_without_a_unit_is_refused" {
  command = plan

  variables {
    memory = "16"
  }

  expect_failures = [var.memory]
}

run "an_address_without_encryption_is_refused" {
  command = plan

  variables {
    scaler_url = "http://scaler.example"
  }

  expect_failures = [var.scaler_url]
}

run "the_secret_cannot_be_set_from_outside" {
  command = plan

  variables {
    environment = { RUNNER_POOL_CELL_SECRET = "known to all" }
  }

  expect_failures = [var.environment]
}

run "a_volume_of_two_kinds_is_refused" {
  command = plan

  variables {
    volumes = { cache = { mount_path = "/cache", bucket = "acme-cache", memory = "1Gi" } }
  }

  expect_failures = [var.volumes]
}

run "a_network_without_a_name_is_refused" {
  command = plan

  variables {
    network = {}
  }

  expect_failures = [var.network]
}

run "a_sidecar_cannot_pass_for_the_runner" {
  command = plan

  variables {
    sidecars = { runner = { image = "docker.io/library/redis:7" } }
  }

  expect_failures = [var.sidecars]
}
