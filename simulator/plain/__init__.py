"""A world in virtual time of one worker pool whose instances register themselves, as other scalers have it."""
