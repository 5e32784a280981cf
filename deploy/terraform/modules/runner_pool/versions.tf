terraform {
  required_version = ">= 1.9"

  required_providers {
    # 8.7 is the version whose schema the tests hold this module against; disks on worker pools came with 7.30.
    google = {
      source  = "hashicorp/google"
      version = ">= 8.7.0, < 9.0.0"
    }
    random = {
      source  = "hashicorp/random"
      version = ">= 3.6.0, < 4.0.0"
    }
  }
}
