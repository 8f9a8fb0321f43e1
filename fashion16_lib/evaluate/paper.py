"""The paper's numbers, each once, with its section; and a few published ones that they are shown beside."""

from __future__ import annotations

# 1.1: images, crawled and from data sets on the web, and how they are split
N_IMAGES = 325_820
N_TRAIN, N_TUNING, N_TEST = 200_000, 100_000, 25_820
FASHION_MNIST_TRAIN = 60_000

# Table 1: layer -> output shape, without the batch
TABLE_1 = {
    "conv2d_1": (28, 28, 16),
    "conv2d_2": (28, 28, 32),
    "max_pooling2d_1": (14, 14, 32),
    "conv2d_3": (14, 14, 64),
    "conv2d_4": (14, 14, 128),
    "max_pooling2d_2": (7, 7, 128),
    "dropout_1": (7, 7, 128),
    "flatten_1": (6272,),       # printed "Faltten_1"
    "dense_1": (256,),
    "dropout_2": (256,),
    "dense_2": (10,),
}

# 2.1: training;   2.1.1: classification precision
EPOCHS, TRAINING_SECONDS = 20, 7301
ACCURACY, N_ACCURACY = 0.9271, 20_000

# Table 2: number of images -> precision, as printed (the fourth row must be 200,000)
TABLE_2_PRINTED = ((50_000, 0.8841), (100_000, 0.9060), (150_000, 0.9222), (20_000, 0.9297), (250_000, 0.9355),
                   (300_000, 0.9387))
TABLE_2 = tuple((200_000 if n == 20_000 else n, precision) for n, precision in TABLE_2_PRINTED)

# Table 3: retrieval accuracy on 20,000;   Table 4 and 2.1.3: mean of 1,000 queries
SIFT_ACCURACY, CNN_ACCURACY = 0.8940, 0.9271
DIRECT_SECONDS, IN_CLASS_SECONDS, FASTER_PERCENT = 3.6375, 3.2416, 10.88

# The multi-label text's softmax example: scores and what it prints for them
SOFTMAX_DEMO = ((-1, 5, -0.5, 5, -0.5), (0.00123281, 0.49735104, 0.00203256, 0.49735104, 0.00203256))

# Published by others
SIMILAR_NETWORKS = (0.916, 0.934)       # accuracy of small convolutional networks in Fashion-MNIST's own list
