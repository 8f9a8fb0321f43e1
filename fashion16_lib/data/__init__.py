"""Images in: downloads that are checked by digest, Fashion-MNIST, VGG-16's weights, folders of pictures."""
