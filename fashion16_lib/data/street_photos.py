"""Describe people's own photos: the Clothing Dataset, garments photographed at home, with their senders."""

from __future__ import annotations

from fashion16_lib.data.catalogue import Catalogue

STREET_PHOTOS = Catalogue(
    name="street-photos",
    file_names=("street-photos.zip", "street-photos", "clothing-dataset.zip"),
    table="images.csv",
    id_column="image",
    type_column="label",
    group_column="sender_id",           # one person's photos share rooms, cameras and garments
    classes={
        "T-shirt": ("T-Shirt", "Polo", "Top"),
        "Trouser": ("Pants",),
        "Pullover": ("Longsleeve", "Hoodie"),
        "Dress": ("Dress",),
        "Coat": ("Outwear", "Blazer"),
        "Shirt": ("Shirt", "Blouse"),
        "Sneaker": ("Shoes",),          # all shoes: this table tells none from another
    },
    page="https://github.com/alexeygrigorev/clothing-dataset (CC0)",
    download=("https://github.com/alexeygrigorev/clothing-dataset/archive/refs/heads/", "master.zip"),
)
