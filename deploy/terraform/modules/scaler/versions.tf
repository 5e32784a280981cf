terraform {
  required_version = ">= 1.9"

  required_providers {
    # 8.7 is the version whose schema the tests hold this module against.
    google = {
      source  = "hashicorp/google"
      version = ">= 8.7.0, < 9.0.0"
    }
  }
}
