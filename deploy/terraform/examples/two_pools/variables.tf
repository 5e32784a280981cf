variable "project" {
  description = "A Google Cloud project for runner-pool alone, by id, with billing, APIs enabled (docs/how-to/install.md)."
  type        = string
}

variable "region" {
  description = "A region that has the GPU."
  type        = string
  default     = "us-central1"
}

variable "organization" {
  description = "The GitHub organization whose jobs are to run."
  type        = string
}

variable "app_id" {
  description = "The client id of the GitHub App."
  type        = string
}

variable "scaler_image" {
  description = "The pushed image of the scaler; null at the first apply."
  type        = string
  default     = null
}

variable "runner_images" {
  description = "The pushed images of the instances; null at the first apply."
  type = object({
    linux = string
    gpu   = string
  })
  default = null
}

variable "subnetwork" {
  description = "The subnetwork through which the instances reach what is private; null: the internet only."
  type        = string
  default     = null
}
