# The two applies of docs/how-to/install.md. No cloud: the providers are mocks. The names are what Google would give.

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
  alert_email  = "admins@acme.example"
}

run "first" {
  assert {
    condition     = length(module.linux) == 0 && output.registry == "us-central1-docker.pkg.dev/acme-ci/runner-pool"
    error_message = "The first apply makes the registry and no cell."
  }
}

run "second" {
  variables {
    scaler_image = "us-central1-docker.pkg.dev/acme-ci/runner-pool/scaler:1"
    runner_image = "us-central1-docker.pkg.dev/acme-ci/runner-pool/runner:1"
  }

  assert {
    condition     = length(module.linux[0].cells) == 10
    error_message = "The pool has as many cells as its max and a fifth more."
  }
}
