"""Networks: the Table 1 classifier, VGG-16 and the softmax head on its features (the paper's 1.2, 1.3 and 1.4).

Keras keeps its settings file in the project, and the backend's start-up messages stay out of notebooks, as does its
advice about tracing the same function for several small networks.
"""

import logging
import os

from fashion16_lib.settings import data_folder

os.environ.setdefault("KERAS_HOME", str(data_folder() / "keras"))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
logging.getLogger("tensorflow").addFilter(lambda record: "retracing" not in record.getMessage())
