"""Every claim of the review of product search, as data: what it says, how it is judged, which null makes it fall."""

from __future__ import annotations

from fashion16_lib.evaluate.verdict import Claim, above, shown

FIND, WTBI, DARN, FASHIONNET = "50-find-the-garment", "51-wtbi", "52-darn", "53-fashionnet"
FRAMEWORK, MINE, MATCH, COMPARE = "54-framework", "55-mine-data", "56-match-outfits", "59-compare-all"
POINT, ORDERING, DEFINITION = "point", "ordering", "definition"
EQUAL = "equal arms"
ABOVE_0 = "the 95 % interval lies above 0"
OTHER_DATA = "other data: shown beside, not judged"
PAIRS = "top-20 accuracy, simulated street"

CLAIMS_PRODUCT_SEARCH = (
    # ---------------------------------------------------------------- the problem
    Claim("review-task", "r1", "what you see", "search products across two kinds of photos", "no number", DEFINITION,
          "", FIND, "cosine_whole_top_20_all", shown, "none", "ours: VGG-16 by cosine, " + PAIRS),
    Claim("review-detection", "r2", "what you see", "detecting the main object helps the features", "no number",
          ORDERING, EQUAL, FIND, "learned_box_minus_whole_top_20_all", above(0), ABOVE_0,
          "a box learned from the simulation's truth, minus whole pictures; " + PAIRS),
    Claim("review-detection-grabcut", "r2", "what you see", "... also by a detector without training", "no number",
          ORDERING, EQUAL, FIND, "box_minus_whole_top_20_all", above(0), ABOVE_0,
          "GrabCut's box minus whole pictures; " + PAIRS),
    Claim("review-category", "r3", "what you see", "naming the category first makes the search better", "no number",
          ORDERING, EQUAL, COMPARE, "in_category_minus_direct_top_20", above(0), ABOVE_0,
          "codes inside the category named by a head that learned from both sides, minus in the whole shop; " + PAIRS),
    # ---------------------------------------------------------------- WTBI, DARN, FashionNet
    Claim("review-wtbi", "r4", "WTBI", "from coarse to fine it finds more than ImageNet's features", "no number",
          ORDERING, EQUAL, WTBI, "specific_minus_vgg16_top_20_all", above(0), ABOVE_0,
          "models of the categories minus VGG-16 by cosine, inside the category; " + PAIRS),
    Claim("review-wtbi-fine", "r4", "WTBI", "... and the fine step adds to the coarse one", "no number", ORDERING,
          EQUAL, WTBI, "specific_minus_general_top_20_all", above(0), ABOVE_0,
          "models of the categories minus the general one, inside the category; " + PAIRS),
    Claim("review-wtbi-data", "r5", "WTBI", "400,000 shop photos, nearly 40,000 pairs", "400,000; 40,000", DEFINITION,
          "", "", "", shown, "none", "its data aren't here"),
    Claim("review-darn-triplets", "r6", "DARN", "triplets add to attributes", "no number", ORDERING, EQUAL, DARN,
          "darn_minus_darn_attributes_top_20", above(0), ABOVE_0, "minus attributes alone, two branches; " + PAIRS),
    Claim("review-darn-attributes", "r6", "DARN", "attributes add to triplets", "no number", ORDERING, EQUAL, DARN,
          "darn_minus_darn_triplets_top_20", above(0), ABOVE_0, "minus triplets alone, two branches; " + PAIRS),
    Claim("review-darn-branches", "r7", "DARN", "a branch for each of the two kinds of photos", "no number", DEFINITION,
          "", DARN, "darn_minus_darn_one_branch_top_20", shown, "none",
          "the text compares with nothing; ours: two branches minus one, " + PAIRS),
    Claim("review-fashionnet-landmarks", "r8", "FashionNet", "features aligned by landmarks see past moving parts",
          "no number", ORDERING, EQUAL, FASHIONNET, "fashionnet_minus_without_landmarks_top_20", above(0), ABOVE_0,
          "with minus without local features at landmarks; " + PAIRS),
    Claim("review-fashionnet-aligned", "r8", "FashionNet", "... because they are aligned, not because they are more",
          "not tried", ORDERING, EQUAL, FASHIONNET, "fashionnet_minus_fixed_places_top_20", above(0), ABOVE_0,
          "landmarks minus as many fixed places; " + PAIRS),
    Claim("review-fashionnet-labels", "r9", "FashionNet", "attributes add to the other labels", "no number", ORDERING,
          EQUAL, FASHIONNET, "fashionnet_minus_without_attributes_top_20", above(0), ABOVE_0,
          "with minus without attributes; " + PAIRS),
    # ---------------------------------------------------------------- the summary and the framework
    Claim("review-end-to-end", "r10", "summary", "whether end-to-end beats staged learning is open", "open", DEFINITION,
          "", COMPARE, "joint_minus_staged_top_20", shown, "none",
          "ours: the same labels at once minus in turns, on fixed features of VGG-16; " + PAIRS),
    Claim("review-align", "r11", "framework", "alignment makes the features see past pose and size", "no number",
          ORDERING, EQUAL, FRAMEWORK, "aligned_minus_vgg16_top_20", above(0), ABOVE_0,
          "cut to the learned box minus whole pictures; " + PAIRS),
    Claim("review-fuse", "r12", "framework", "global and local features complete each other", "no number", ORDERING,
          EQUAL, FRAMEWORK, "fused_minus_aligned_top_20", above(0), ABOVE_0, "fused minus global alone; " + PAIRS),
    Claim("review-reduce", "r13", "framework", "few numbers that tell products apart make the search better",
          "no number", ORDERING, EQUAL, FRAMEWORK, "reduced_minus_fused_top_20", above(0), ABOVE_0,
          "the reduction chosen on the tuning part, minus all numbers; " + PAIRS),
    # ---------------------------------------------------------------- mining
    Claim("review-mine-rules", "r14", "mining", "count, mean distance and variance tell which clusters are noise",
          "no number", ORDERING, EQUAL, MINE, "mining_precision_by_the_three_rules_change", above(0), ABOVE_0,
          "share of the clusters' pairs that show one garment, after the rules minus before; two photos a garment"),
    Claim("review-mine-class", "r14", "mining", "... dividing by predicted class first", "no number", ORDERING, EQUAL,
          MINE, "mining_right_mates_minus_learned_not_split", above(0), ABOVE_0,
          "right mates of a photo, divided by predicted class minus not divided"),
    Claim("review-keywords", "r15", "mining", "a classifier purifies what keywords bring", "no number", ORDERING, EQUAL,
          MINE, "keywords_colour_type_by_category_type_change", above(0), ABOVE_0,
          "precision after the classifier of category and type minus before; text search over the catalogue's fields"),
    # ---------------------------------------------------------------- outfits
    Claim("review-match-metric", "r16", "outfits", "metric learning brings matching tops and bottoms together",
          "no number", ORDERING, EQUAL, MATCH, "outfit_siamese_minus_vgg16_garment_top_5", above(0), ABOVE_0,
          "learned minus VGG-16, garments cut out of their rooms; owned together, not worn together"),
    Claim("review-match-search", "r17", "outfits", "searching a library of outfits recommends what matches", "an app",
          ORDERING, EQUAL, MATCH, "outfit_library_minus_chance_garment_top_5", above(0), ABOVE_0,
          "library of wardrobes minus chance, garments cut out of their rooms; owned together, not worn together"),
    Claim("review-filter", "r18", "outfits", "filtering bad photos makes a library of high quality", "no number",
          ORDERING, EQUAL, MATCH, "outfit_filtered_minus_library_garment_top_5", above(0), ABOVE_0,
          "recommendations from the filtered library minus from the whole one"),
    Claim("review-filter-finds", "r18", "outfits", "... photos that are dim, blurred, small, cut off or cluttered",
          "no number", DEFINITION, "", MATCH, "filter_recall_any", shown, "none",
          "the text gives no number; ours: bad photos found, faults made by us"),
)
