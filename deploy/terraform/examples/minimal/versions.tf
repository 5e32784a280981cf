terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 8.7.0, < 9.0.0"
    }
    random = {
      source  = "hashicorp/random"
      version = ">= 3.6.0, < 4.0.0"
    }
  }

  # Keep the state in a bucket that only admins can read: the secrets of the cells stand in it.
  # backend "gcs" {
  #   bucket = "NAME"
  #   prefix = "runner-pool"
  # }
}

provider "google" {
  project = var.project
  region  = var.region
}
