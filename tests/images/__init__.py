"""Both images, built and run for real: a container engine under the stand-in cloud. Run by `make test-images`."""
