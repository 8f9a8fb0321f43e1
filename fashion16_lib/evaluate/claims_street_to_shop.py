"""Every claim of the street-to-shop text, as data: what it says, how it is judged, which null must make it fall."""

from __future__ import annotations

from fashion16_lib.evaluate.verdict import Claim, above, below, shown

HAND, NETWORK, LEARN = "40-describe-by-hand", "41-describe-by-network", "42-learn-the-distance"
POINT, ORDERING, DEFINITION = "point", "ordering", "definition"
EQUAL, SHUFFLED = "equal arms", "shuffled labels"
ABOVE_0 = "the 95 % interval lies above 0"
OTHER_DATA = "other data: shown beside, not judged"
PAIRS = "pairs as in 40, simulated unless DeepFashion's are given"
SKIRTS_BEFORE, SKIRTS_AFTER = 0.1775, 0.26      # top-20 accuracy: ResNet50's features, then the Siamese network on them

CLAIMS_STREET_TO_SHOP = (
    # ---------------------------------------------------------------- the problem and its data
    Claim("shop-task", "s1", "problem", "style must match, colour need not", "no number", DEFINITION, "", LEARN,
          "siamese_top_20_all_other_colour", shown, "none",
          "what right means; ours: the learned distance's top-20 accuracy where the colour differs"),
    Claim("shop-data", "s2", "data", "a part of DeepFashion, four categories", "a figure", DEFINITION, "", NETWORK,
          "n_garments", shown, "none", "numbers only in a picture; ours: garments searched, product photos"),
    Claim("shop-photos", "s3", "data", "the shop's photos are better: the whole garment, in the middle", "pictures",
          DEFINITION, "", "", "", shown, "none", "so are the shop's here"),
    # ---------------------------------------------------------------- Fig 5
    Claim("shop-categories", "s4", "Fig 5", "customers' photos lie together by category", "by eye", ORDERING, SHUFFLED,
          NETWORK, "silhouette_by_category_at_home_minus_shuffled", above(0), "silhouette above 39 of 40 shuffles",
          "real photos; VGG-16's features instead of ResNet50's; measured on the features, not on the plane"),
    Claim("shop-domains", "s5", "Fig 5", "... and by whether they are worn or laid flat", "by eye", DEFINITION, "",
          NETWORK, "silhouette_by_domain", shown, "none",
          "our table doesn't tell worn from laid flat; ours, shown beside: the silhouette of home and shop"),
    # ---------------------------------------------------------------- by hand, by network
    Claim("shop-coherence", "s6", "method 1", "colour coherence adds to the colour histogram", "no number", ORDERING,
          EQUAL, HAND, "histogram_and_coherence_minus_histogram_top_20", above(0), ABOVE_0,
          "top-20 accuracy, both minus histogram alone, L1; " + PAIRS),
    Claim("shop-table", "s7", "method 2", "layers and parameters of four networks", "a picture", DEFINITION, "",
          NETWORK, "vgg16_n_parameters", shown, "none", "the table is a picture; ours: VGG-16's parameters, counted"),
    Claim("shop-network", "s8", "method 2", "extracted features do much better than those made by hand", "a figure",
          ORDERING, EQUAL, LEARN, "network_l1_minus_hand_top_20_all", above(0), ABOVE_0,
          "VGG-16 by L1, as in the text, minus by hand, the same queries; " + PAIRS),
    Claim("shop-network-best", "s8", "method 2", "... and by the best distance", "not tried", ORDERING, EQUAL, LEARN,
          "network_minus_hand_top_20_all", above(0), ABOVE_0,
          "VGG-16 by the layer and distance chosen on the tuning part, minus by hand; " + PAIRS),
    Claim("shop-resnet", "s9", "method 2", "ResNet50's features are best in every category", "a figure", ORDERING,
          EQUAL, NETWORK, "resnet50_minus_best_other_top_20", above(0), ABOVE_0,
          "all categories; where no number stands, ResNet-50's weights were unavailable"),
    Claim("shop-skirts", "s10", "method 2", "skirts come out best", "17.75 %", ORDERING, EQUAL, NETWORK,
          "network_skirts_minus_best_other_top_20", above(0), ABOVE_0,
          "skirts minus the best other category; " + PAIRS),
    Claim("shop-before", "s11", "method 2", "top-20 accuracy of skirts", "17.75 %", POINT, "", NETWORK,
          "network_top_20_skirts", shown, OTHER_DATA, "VGG-16, fewer photos; " + PAIRS, SKIRTS_BEFORE),
    # ---------------------------------------------------------------- the Siamese network
    Claim("shop-loss", "s12", "method 3", "log loss on pairs of features", "a picture", DEFINITION, "", LEARN,
          "siamese_log_all_top_20", shown, "none",
          "its formula is a picture; ours: its top-20 accuracy; " + PAIRS),
    Claim("shop-learned", "s13", "method 3", "the learned distance is better on the whole, by its recipe", "a figure",
          ORDERING, EQUAL, LEARN, "siamese_log_all_minus_network_l1_top_20_all", above(0), ABOVE_0,
          "log loss, all pairs, minus VGG-16 by L1, as in the text, in the own colour; " + PAIRS),
    Claim("shop-learned-rival", "s13", "method 3", "... also over the best distance instead of L1", "not tried",
          ORDERING, EQUAL, LEARN, "siamese_log_all_minus_network_top_20_all", above(0), ABOVE_0,
          "log loss, all pairs, minus VGG-16 by the layer and distance chosen on the tuning part; " + PAIRS),
    Claim("shop-learned-best", "s13", "method 3", "... and by the best of six recipes", "not tried", ORDERING, EQUAL,
          LEARN, "siamese_minus_network_top_20_all", above(0), ABOVE_0,
          "the loss and negatives that do best on the tuning part, minus VGG-16; " + PAIRS),
    Claim("shop-dresses", "s14", "method 3", "... but not for dresses", "a figure", ORDERING, EQUAL, LEARN,
          "siamese_log_all_minus_network_l1_top_20_dresses", below(0), "the 95 % interval lies below 0",
          "dresses, log loss, all pairs, minus VGG-16 by L1; " + PAIRS),
    Claim("shop-after", "s15", "method 3", "top-20 accuracy of skirts", "26 %", POINT, "", LEARN,
          "siamese_top_20_skirts", shown, OTHER_DATA, "best of six recipes, fewer photos; " + PAIRS, SKIRTS_AFTER),
    Claim("shop-ratio", "s16", "method 3", "skirts from 17.75 to 26 %", "1.46 times", ORDERING, EQUAL, LEARN,
          "skirts_siamese_log_all_over_network_l1", above(1), "the 95 % interval lies above 1",
          "log loss, all pairs / VGG-16 by L1, skirts in their own colour; " + PAIRS, SKIRTS_AFTER / SKIRTS_BEFORE),
    Claim("shop-alike", "s17", "Fig 10", "the others among the first 20 look much alike", "pictures", ORDERING,
          SHUFFLED, LEARN, "siamese_hits_of_the_type_minus_chance", above(0), ABOVE_0,
          "share of the 20 of the garment's own type, itself not counted, minus what blind choice gives"),
    # ---------------------------------------------------------------- the cloud
    Claim("shop-rest", "s18", "deployment", "whoever can use a REST service can use the model", "no number", DEFINITION,
          "", "", "", shown, "none", "no number; `make serve` is such a service, for libraries of VGG-16's features"),
)
