"""The networks: MobileNetV2, the six layers of the beginnings, the lung network and its parts."""
