# Both applies, as in the minimal example. No cloud: the providers are mocks.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789" }
  }

  mock_resource "google_storage_bucket" {
    defaults = { url = "gs://acme-ci-ci-records" }
  }

  mock_resource "google_secret_manager_secret" {
    defaults = { name = "projects/123456789/secrets/a-secret" }
  }

  mock_resource "google_secret_manager_secret_version" {
    defaults = { version = "1" }
  }

  mock_resource "google_service_account" {
    defaults = {
      name  = "projects/acme-ci/serviceAccounts/mock@acme-ci.iam.gserviceaccount.com"
      email = "mock@acme-ci.iam.gserviceaccount.com"
    }
  }
}

mock_provider "random" {}

variables {
  project      = "acme-ci"
  organization = "acme"
  app_id       = "Iv23liAbCdEfGhIjKlMn"
}

run "first" {
  assert {
    condition     = length(output.accounts) == 0
    error_message = "The first apply makes no cell."
  }
}

run "second" {
  variables {
    scaler_image  = "us-central1-docker.pkg.dev/acme-ci/runner-pool/scaler:1"
    runner_images = { linux = "registry.example/linux:1", gpu = "registry.example/gpu:1" }
    subnetwork    = "ci"
  }

  assert {
    condition     = length(module.linux[0].cells) == 48 && length(module.gpu[0].cells) == 5
    error_message = "Each pool has as many cells as its max and a fifth more."
  }
}
