"""Every claim of the multi-label text, as data: what it says, how it is judged, which null must make it fall."""

from __future__ import annotations

from fashion16_lib.evaluate.verdict import REPRODUCED, Claim, above, below, equals, shown

SIGMOID, TRAIN, JUDGE = "30-see-why-sigmoid", "31-train-multi-label", "32-judge-multi-label"
ORDERING, GROWTH, ARITHMETIC, DEFINITION = "ordering", "growth", "arithmetic", "definition"
OVER_SEEDS = "the range over seeds lies above 0"
ABOVE_0 = "the 95 % interval lies above 0"

CLAIMS_MULTI_LABEL = (
    # ---------------------------------------------------------------- 1: what several labels are
    Claim("multi-worth", "m1", "abstract", "single labels can't solve the problem any more", "no number",
          DEFINITION, "", "", "", shown, "none", "an opinion on shops; 33 measures what more labels bring to search"),
    Claim("multi-example", "m2", "1", "the example's code is that of its labels: female, red, shirt", "3 labels",
          ARITHMETIC, "", SIGMOID, "n_example_labels_in_its_code", equals(3, 0), "equal",
          "labels of the three that the code says: it says blue, dress, female, as the photo is", 3),
    Claim("multi-columns", "m3", "1", "MultiLabelBinarizer gives this encoding", "8 columns",
          ARITHMETIC, "", SIGMOID, "n_columns_in_binarizer_order", equals(8, 0), "equal",
          "columns where the sorted order has them; male and famale (so printed) are exchanged", 8),
    # ---------------------------------------------------------------- 2: softmax or sigmoid
    Claim("multi-softmax-digits", "m4", "2", "softmax of (-1, 5, -.5, 5, -.5)", ".00123281 .49735104 .00203256",
          ARITHMETIC, "", SIGMOID, "softmax_demo_error", below(5.1e-9, REPRODUCED), "to the last digit printed",
          "the largest difference"),
    Claim("multi-softmax-halves", "m5", "2", "with softmax the number of labels, or a threshold, must be known",
          "labels 2 and 4 at .497", ARITHMETIC, "", SIGMOID, "softmax_demo_n_labels_above_half",
          equals(0, 0), "none above one half", "the usual cut finds neither; of numbers that sum to 1 one at most"),
    Claim("multi-sigmoid-both", "m6", "2", "with independent outputs each label is found alone", "labels 2 and 4",
          ARITHMETIC, "", SIGMOID, "sigmoid_demo_n_labels_above_half", equals(2, 0), "both above one half",
          "sigmoid of the same five scores", 2),
    Claim("multi-sigmoid-at-half", "m7", "2", "sigmoid and binary cross-entropy suit several labels", "no number",
          ORDERING, "equal arms", SIGMOID, "sigmoid_minus_softmax_subset_accuracy_at_one_half", above(0), ABOVE_0,
          "photos whose whole set is right, both cut at one half, the same photos"),
    Claim("multi-sigmoid-tuned", "m8", "2", "... better than softmax, also where both cuts are tuned", "no number",
          ORDERING, "equal arms", SIGMOID, "sigmoid_minus_softmax_subset_accuracy", above(0), ABOVE_0,
          "the same, each cut where the tuning part wants it"),
    Claim("multi-snippet", "m9", "2", "\"the whole model\": ten lines of Keras", "runs",
          ARITHMETIC, "", SIGMOID, "n_undefined_names_in_snippet", equals(0, 0), "no name without a value",
          "`model` is compiled and never made; Model(inputs, output) is missing", 0),
    Claim("multi-accuracy", "m10", "2", "metrics=['accuracy'] tells how good the model is", "no number",
          DEFINITION, "", JUDGE, "accuracy_of_saying_nothing", shown, "none",
          "of labels one by one; ours: what a model gets that never says a label"),
    # ---------------------------------------------------------------- 3, 4: data and network
    Claim("multi-six", "m11", "3", "the data set has 6 classes", "6 names",
          ARITHMETIC, "", SIGMOID, "n_different_class_names", equals(6, 0), "equal",
          "male_bule_shirt stands twice; the second must be male_red_shirt", 6),
    Claim("multi-spelling", "m12", "3", "blue", "bule", ARITHMETIC, "", SIGMOID, "n_class_names_spelt_wrong",
          equals(0, 0), "none", "names with \"bule\"", 0),
    Claim("multi-pictures", "m13", "3", "415, 311, 259, 257, 247 and 194 pictures", "1,683",
          DEFINITION, "", TRAIN, "n_photos_of_the_six", shown, "none",
          "from the web, unpublished; ours: photos of the same combinations that were used"),
    Claim("multi-ending", "m14", "4", "SmallerVGGNet for several labels", "finalAct=\"softmax\"",
          ARITHMETIC, "", TRAIN, "default_ending_is_sigmoid", equals(1, 0), "ends in a sigmoid",
          "the default is what section 2 advises against; a caller must override it", 1),
    Claim("multi-input", "m15", "4", "the network as given", "width, height: no value",
          DEFINITION, "", TRAIN, "parameters", shown, "none",
          "input size, epochs, batches and optimiser's rate are missing; ours: parameters at our size"),
    # ---------------------------------------------------------------- 5: results
    Claim("multi-falls-smoothly", "m16", "5", "training loss falls smoothly up to 20 epochs", "a figure",
          GROWTH, "permuted sizes", JUDGE, "training_loss_rise_over_fall", below(0.1),
          "moves upward below a tenth of those downward",
          "range over seeds; with dropout; its null: the epochs in any order"),
    Claim("multi-fluctuates", "m17", "5", "the validation loss fluctuates much", "a figure",
          ORDERING, "equal arms", JUDGE, "tuning_minus_training_loss_rise", above(0), OVER_SEEDS,
          "nats of moves upward up to epoch 20, tuning part minus training"),
    Claim("multi-over-fits", "m18", "5", "training past 20 epochs seems to over-fit", "20",
          GROWTH, "equal arms", JUDGE, "tuning_loss_past_20_minus_before", above(0), OVER_SEEDS,
          "mean loss of the last epochs minus that of as many up to 20, on the tuning part"),
    Claim("multi-works", "m19", "5", "test pictures get their labels", "two pictures",
          ORDERING, "equal arms", TRAIN, "macro_f1_minus_majority_guess", above(0), OVER_SEEDS,
          "judged: better than a guess that never looks"),
    Claim("multi-versions", "m20", "end", "python 3.6.5, tensorflow 1.12, keras 2.2.4", "versions",
          DEFINITION, "", "", "", shown, "none", "no longer to be had for current machines; ours in every result file"),
)
