"""HSA as the attention that a pretrained model runs on."""
