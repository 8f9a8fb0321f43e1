"""Describe the shop's photos: Fashion Product Images (Small), 60x80 in colour, with a table of attributes."""

from __future__ import annotations

from fashion16_lib.data.catalogue import Catalogue

PRODUCT_PHOTOS = Catalogue(
    name="product-photos",
    file_names=("product-photos.zip", "product-photos", "fashion-product-images-small.zip"),
    table="styles.csv",
    id_column="id",
    type_column="articleType",
    group_column="",
    classes={
        "T-shirt": ("Tshirts", "Tops"),
        "Trouser": ("Trousers", "Jeans", "Track Pants"),
        "Pullover": ("Sweaters", "Sweatshirts"),
        "Dress": ("Dresses",),
        "Coat": ("Jackets", "Blazers", "Rain Jacket"),
        "Sandal": ("Sandals", "Flip Flops"),
        "Shirt": ("Shirts",),
        "Sneaker": ("Sports Shoes", "Casual Shoes"),
        "Bag": ("Handbags", "Backpacks", "Clutches"),
        "Ankle boot": ("Booties",),     # almost none: too few to be a class
    },
    page="https://www.kaggle.com/datasets/paramaggarwal/fashion-product-images-small (MIT)",
    download=("https://www.kaggle.com/api/v1/datasets/download/paramaggarwal/", "fashion-product-images-small"),
)
