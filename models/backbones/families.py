"""The networks of `keras.applications` as data: one entry a family; free of TensorFlow."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .network import Network


@dataclass(frozen=True)
class Member:
    """One network: its function in `keras.applications`, the side of its ImageNet images, its weights without top."""

    builder: str
    native: int
    parameters: int


@dataclass(frozen=True)
class Family:
    """What its members have in common.

    Attributes:
        module: of `keras.applications`; its `preprocess_input` is right for the members (it does nothing where they
            preprocess inside).
        licence: of the ImageNet weights, see `LICENCES`.
        members: by their names for `model.name`.
        levels: stride to the name of the layer that takes this level in (a glob; the last that matches counts), so that
            a level is the deepest map of its stride; the output of stride 32 is one more. Empty: there are none.
        multiple: the level of stride s has ceil(side / s) rows where the sides are multiples of it. Above 1 where
            something without padding rounds down: 33 pixels become 16, and 17 where others are right.
        minimum: the smallest side, in pixels, that Keras takes.
        fixed: the network holds for one size, it cannot follow the image.
        atrous: `atrous.atrous` can take its last stage to stride 16, and the weights keep their meaning exactly.
    """

    module: str
    licence: str
    members: Mapping[str, Member]
    levels: Mapping[int, str] = field(default_factory=dict)
    multiple: int = 1
    minimum: int = 32
    fixed: bool = False
    atrous: bool = False

    @property
    def strides(self) -> tuple[int, ...]:
        """Of all levels, finest first."""
        return (*self.levels, 32) if self.levels else ()


# Sources: the sections "License" of docs/templates/applications.md in Keras 2.3. Of later networks Keras says nothing:
# with * stands the licence of the repository that released the checkpoints which Keras converted. They are, for
# MobileNetV3, tensorflow/models (keras-applications pull request 176); EfficientNet, tensorflow/tpu (113 there);
# EfficientNetV2, google/automl (keras pull request 14935); ConvNeXt, facebookresearch/ConvNeXt (16421 there).
LICENCES = "as Keras states it; with * Keras says nothing, and it is that of the code the weights were released with"

FAMILIES = (
    Family(
        "vgg16",  # Simonyan and Zisserman 2015
        "CC BY 4.0",
        {"vgg16": Member("VGG16", 224, 14_714_688), "vgg19": Member("VGG19", 224, 20_024_384)},
        {2: "block2_pool", 4: "block3_pool", 8: "block4_pool", 16: "block5_pool"},
        multiple=32,
        atrous=True,
    ),
    Family(
        "resnet",  # He et al. 2016
        "MIT",
        {
            "resnet50": Member("ResNet50", 224, 23_587_712),
            "resnet101": Member("ResNet101", 224, 42_658_176),
            "resnet152": Member("ResNet152", 224, 58_370_944),
        },
        {2: "pool1_pad", 4: "conv3_block1_1_conv", 8: "conv4_block1_1_conv", 16: "conv5_block1_1_conv"},
        atrous=True,
    ),
    Family(
        "resnet_v2",  # He et al. 2016, "Identity mappings in deep residual networks"
        "BSD",
        {
            "resnet50_v2": Member("ResNet50V2", 224, 23_564_800),
            "resnet101_v2": Member("ResNet101V2", 224, 42_626_560),
            "resnet152_v2": Member("ResNet152V2", 224, 58_331_648),
        },
        {2: "pool1_pad", 4: "conv2_block*_1_conv", 8: "conv3_block*_1_conv", 16: "conv4_block*_1_conv"},
        atrous=True,
    ),
    Family(
        "inception_v3",  # Szegedy et al. 2016
        "Apache-2.0",
        {"inception_v3": Member("InceptionV3", 299, 21_802_784)},
        minimum=75,
        fixed=True,
    ),
    Family(
        "inception_resnet_v2",  # Szegedy et al. 2017
        "Apache-2.0",
        {"inception_resnet_v2": Member("InceptionResNetV2", 299, 54_336_736)},
        minimum=75,
        fixed=True,
    ),
    Family(
        "xception",  # Chollet 2017
        "MIT",
        {"xception": Member("Xception", 299, 20_861_480)},
        {8: "block4_pool", 16: "block13_pool"},  # its first two levels are 3 pixels short
        multiple=32,
        minimum=71,
        fixed=True,
    ),
    Family(
        "mobilenet",  # Howard et al. 2017
        "Apache-2.0",
        {"mobilenet": Member("MobileNet", 224, 3_228_864)},
        {2: "conv_pad_2", 4: "conv_pad_4", 8: "conv_pad_6", 16: "conv_pad_12"},
        multiple=32,
        atrous=True,
    ),
    Family(
        "mobilenet_v2",  # Sandler et al. 2018
        "Apache-2.0",
        {"mobilenet_v2": Member("MobileNetV2", 224, 2_257_984)},
        {2: "block_1_pad", 4: "block_3_pad", 8: "block_6_pad", 16: "block_13_pad"},
        atrous=True,
    ),
    Family(
        "mobilenet_v3",  # Howard et al. 2019, table 2
        "Apache-2.0*",
        {"mobilenet_v3_small": Member("MobileNetV3Small", 224, 939_120)},
        {
            2: "expanded_conv_depthwise_pad",
            4: "expanded_conv_1_depthwise_pad",
            8: "expanded_conv_3_depthwise_pad",
            16: "expanded_conv_8_depthwise_pad",
        },
    ),
    Family(
        "mobilenet_v3",  # the same, table 1
        "Apache-2.0*",
        {"mobilenet_v3_large": Member("MobileNetV3Large", 224, 2_996_352)},
        {
            2: "expanded_conv_1_depthwise_pad",
            4: "expanded_conv_3_depthwise_pad",
            8: "expanded_conv_6_depthwise_pad",
            16: "expanded_conv_12_depthwise_pad",
        },
    ),
    Family(
        "densenet",  # Huang et al. 2017
        "BSD-3-Clause",
        {
            "densenet121": Member("DenseNet121", 224, 7_037_504),
            "densenet169": Member("DenseNet169", 224, 12_642_880),
            "densenet201": Member("DenseNet201", 224, 18_321_984),
        },
        {2: "zero_padding2d*", 4: "pool2_conv", 8: "pool3_conv", 16: "pool4_conv"},
        multiple=32,
        atrous=True,
    ),
    Family(
        "nasnet",  # Zoph et al. 2018
        "Apache-2.0",
        {
            "nasnet_mobile": Member("NASNetMobile", 224, 4_269_716),
            "nasnet_large": Member("NASNetLarge", 331, 84_916_818),
        },
        {4: "reduction_conv_1_stem_2", 8: "reduction_conv_1_reduce_[46]", 16: "reduction_conv_1_reduce_*"},
        multiple=32,
        fixed=True,  # it compares sizes while it is built
    ),
    Family(
        "efficientnet",  # Tan and Le 2019
        "Apache-2.0*",
        {
            "efficientnet_b0": Member("EfficientNetB0", 224, 4_049_571),
            "efficientnet_b1": Member("EfficientNetB1", 240, 6_575_239),
            "efficientnet_b2": Member("EfficientNetB2", 260, 7_768_569),
            "efficientnet_b3": Member("EfficientNetB3", 300, 10_783_535),
            "efficientnet_b4": Member("EfficientNetB4", 380, 17_673_823),
            "efficientnet_b5": Member("EfficientNetB5", 456, 28_513_527),
            "efficientnet_b6": Member("EfficientNetB6", 528, 40_960_143),
            "efficientnet_b7": Member("EfficientNetB7", 600, 64_097_687),
        },
        {2: "block2a_dwconv_pad", 4: "block3a_dwconv_pad", 8: "block4a_dwconv_pad", 16: "block6a_dwconv_pad"},
    ),
    Family(
        "efficientnet_v2",  # Tan and Le 2021
        "Apache-2.0*",
        {
            "efficientnet_v2_b0": Member("EfficientNetV2B0", 224, 5_919_312),
            "efficientnet_v2_b1": Member("EfficientNetV2B1", 240, 6_931_124),
            "efficientnet_v2_b2": Member("EfficientNetV2B2", 260, 8_769_374),
            "efficientnet_v2_b3": Member("EfficientNetV2B3", 300, 12_930_622),
            "efficientnet_v2_s": Member("EfficientNetV2S", 384, 20_331_360),
            "efficientnet_v2_m": Member("EfficientNetV2M", 480, 53_150_388),
            "efficientnet_v2_l": Member("EfficientNetV2L", 480, 117_746_848),
        },
        {2: "block2a_expand_conv", 4: "block3a_expand_conv", 8: "block4a_dwconv2", 16: "block6a_dwconv2"},
    ),
    Family(
        "convnext",  # Liu et al. 2022
        "MIT*",
        {
            "convnext_tiny": Member("ConvNeXtTiny", 224, 27_820_128),
            "convnext_small": Member("ConvNeXtSmall", 224, 49_454_688),
            "convnext_base": Member("ConvNeXtBase", 224, 87_566_464),
            "convnext_large": Member("ConvNeXtLarge", 224, 196_230_336),
            "convnext_xlarge": Member("ConvNeXtXLarge", 224, 348_147_968),
        },
        {4: "*_downsampling_block_0", 8: "*_downsampling_block_1", 16: "*_downsampling_block_2"},
        multiple=32,
    ),
)

NETWORKS = {
    name: Network(
        f"..backbones.applications:{name}",
        member.parameters,
        family.minimum,
        family.strides,
        family.multiple,
        member.native,
        family.licence,
    )
    for family in FAMILIES
    for name, member in family.members.items()
}
"""What `saccade models` says of them; targets are relative to the package of a task, as in its table of models."""


SMALL = {
    "lenet": Network("..backbones.small:lenet", 136_036, 8, (2, 4)),
    "resnet20": Network("..backbones.small:resnet20", 270_448, 4, (1, 2, 4)),
    "resnet32": Network("..backbones.small:resnet32", 465_776, 4, (1, 2, 4)),
    "resnet44": Network("..backbones.small:resnet44", 661_104, 4, (1, 2, 4)),
    "resnet56": Network("..backbones.small:resnet56", 856_432, 4, (1, 2, 4)),
}
"""Likewise of the networks for small images."""


def family_of(name: str) -> Family:
    """The family of a network in `NETWORKS`."""
    return next(family for family in FAMILIES if name in family.members)


def networks_with(strides: Iterable[int]) -> list[str]:
    """The networks that have levels of all these strides, by name."""
    return sorted(name for name, network in NETWORKS.items() if set(strides) <= set(network.strides))
