variable "project" {
  description = "A Google Cloud project for runner-pool alone, by id, with billing."
  type        = string
}

variable "region" {
  description = "A region near GitHub and cheap, such as us-central1."
  type        = string
  default     = "us-central1"
}

variable "organization" {
  description = "The GitHub organization whose jobs are to run."
  type        = string
}

variable "app_id" {
  description = "The client id of the GitHub App (docs/how-to/install.md)."
  type        = string
}

variable "alert_email" {
  description = "Who is told of alerts."
  type        = string
}

variable "scaler_image" {
  description = "The pushed image of the scaler; null at the first apply."
  type        = string
  default     = null
}

variable "runner_image" {
  description = "The pushed image of the instances; null at the first apply."
  type        = string
  default     = null
}
