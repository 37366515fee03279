/* SPDX-License-Identifier: Apache-2.0 */
/* The GPU models that can be cut, one row each; model_shapes.h explains the columns and names the sources
 * that all rows share, a row's comment says what else it rests on.
 *
 * The table serves planning before an agent has reported, the simulated driver, and what a report does not
 * carry (engines, the driver's order of preference). Where a driver reports placements, those win. Memory
 * differs a little with driver, ECC and product; SMs per profile are what nvidia-smi prints. 0 or absent
 * means unknown. */
#include "mig/model_shapes.h"

#define A100_40GB_PROFILES                                                                                   \
  A100_1G("1g.5gb", 4864, 14), A100_1G_ME("1g.5gb+me", 4864, 14), A100_1G_DOUBLE("1g.10gb", 9856, 14),       \
      A100_2G("2g.10gb", 9856, 28), A100_3G("3g.20gb", 19968, 42), A100_4G("4g.20gb", 19968, 56),            \
      A100_7G("7g.40gb", 40192, 98)

#define A100_80GB_PROFILES                                                                                   \
  A100_1G("1g.10gb", 9728, 14), A100_1G_ME("1g.10gb+me", 9728, 14), A100_1G_DOUBLE("1g.20gb", 19968, 14),    \
      A100_2G("2g.20gb", 19968, 28), A100_3G("3g.40gb", 40192, 42), A100_4G("4g.40gb", 40192, 56),           \
      A100_7G("7g.80gb", 80896, 98)

#define H100_SXM_PROFILES                                                                                    \
  H100_1G("1g.10gb", 9984, 16), H100_1G_ME("1g.10gb+me", 9984, 16), H100_1G_DOUBLE("1g.20gb", 20096, 26),    \
      H100_2G("2g.20gb", 20096, 32), H100_3G("3g.40gb", 40448, 60), H100_4G("4g.40gb", 40448, 64),           \
      H100_7G("7g.80gb", 81152, 132)

static const MigModelRow rows[] = {
    {
        /* Profiles, placements and order: MIG User Guide. 1g.10gb since R525, +me since R470. */
        .key = "A100-40GB",
        .product_names = {"NVIDIA A100-SXM4-40GB", "NVIDIA A100-PCIE-40GB", "NVIDIA A100-PG509-200"},
        .pci_ids = {PCI(0x20B0), PCI(0x20F1)},
        .architecture = "ampere",
        .multiprocessors = 108,
        .placements_known = true,
        .model.name = "NVIDIA-A100-SXM4-40GB",
        EIGHT_SLOTS,
        .model.memory_mib = 40960,
        .model.mode_needs_reset = true,
        .model.profiles = {A100_40GB_PROFILES},
    },
    {
        /* No published output; NVIDIA's mig-parted treats it as A100-40GB. SMs of the whole GPU unknown. */
        .key = "A800-40GB",
        .product_names = {"NVIDIA A800-SXM4-40GB", "NVIDIA A800 40GB Active"},
        .pci_ids = {PCI(0x20BD), PCI(0x20F6)},
        .architecture = "ampere",
        .placements_known = true,
        .model.name = "NVIDIA-A800-SXM4-40GB",
        EIGHT_SLOTS,
        .model.memory_mib = 40960,
        .model.mode_needs_reset = true,
        .model.profiles = {A100_40GB_PROFILES},
    },
    {
        /* MIG User Guide. Very old drivers named the whole GPU 7g.79gb. */
        .key = "A100-80GB",
        .product_names = {"NVIDIA A100-SXM4-80GB", "NVIDIA A100 80GB PCIe"},
        .pci_ids = {PCI(0x20B2), PCI(0x20B5)},
        .architecture = "ampere",
        .multiprocessors = 108,
        .placements_known = true,
        .model.name = "NVIDIA-A100-SXM4-80GB",
        EIGHT_SLOTS,
        .model.memory_mib = 81920,
        .model.mode_needs_reset = true,
        .model.profiles = {A100_80GB_PROFILES},
    },
    {
        /* As A100-80GB according to mig-parted. */
        .key = "A800-80GB",
        .product_names = {"NVIDIA A800-SXM4-80GB", "NVIDIA A800 80GB PCIe"},
        .pci_ids = {PCI(0x20F3), PCI(0x20F5)},
        .architecture = "ampere",
        .placements_known = true,
        .model.name = "NVIDIA-A800-SXM4-80GB",
        EIGHT_SLOTS,
        .model.memory_mib = 81920,
        .model.mode_needs_reset = true,
        .model.profiles = {A100_80GB_PROFILES},
    },
    {
        /* -lgip and -lgipp of an A30; order of preference not documented, ascending as on RTX PRO 6000. */
        .key = "A30",
        .product_names = {"NVIDIA A30"},
        .pci_ids = {PCI(0x20B7)},
        .architecture = "ampere",
        .multiprocessors = 56,
        .placements_known = true,
        .model.name = "NVIDIA-A30",
        .model.slot_count = 4,
        .model.profile_count = 5,
        .model.memory_mib = 24576,
        .model.mode_needs_reset = true,
        .model.profiles =
            {
                PROFILE(A30_1G, "1g.6gb", 5952, 14, ENGINES(1, 0, 0, 0, 0)),
                PROFILE(A30_1G_ME, "1g.6gb+me", 5952, 14, ENGINES(1, 1, 0, 1, 1)),
                PROFILE(A30_2G, "2g.12gb", 11968, 28, ENGINES(2, 2, 0, 0, 0)),
                PROFILE(A30_2G_ME, "2g.12gb+me", 11968, 28, ENGINES(2, 2, 0, 1, 1)),
                PROFILE(A30_4G, "4g.24gb", 24064, 56, ENGINES(4, 4, 0, 1, 1)),
            },
    },
    {
        /* -lgip and -lgipp of an H100 SXM. 1g.20gb and 3g.40gb are no multiples of 16 SMs. */
        .key = "H100-SXM-80GB",
        .product_names = {"NVIDIA H100 80GB HBM3"},
        .pci_ids = {PCI(0x2330)},
        .architecture = "hopper",
        .multiprocessors = 132,
        .placements_known = true,
        .model.name = "NVIDIA-H100-80GB-HBM3",
        EIGHT_SLOTS,
        .model.memory_mib = 81559,
        .model.profiles = {H100_SXM_PROFILES},
    },
    {
        /* -lgipp of an H100 PCIe (Scaleway documentation). */
        .key = "H100-PCIE-80GB",
        .product_names = {"NVIDIA H100 PCIe"},
        .pci_ids = {PCI(0x2331)},
        .architecture = "hopper",
        .multiprocessors = 114,
        .placements_known = true,
        .model.name = "NVIDIA-H100-PCIe",
        EIGHT_SLOTS,
        .model.memory_mib = 81559,
        .model.profiles =
            {
                H100_1G("1g.10gb", 9984, 14),
                H100_1G_ME("1g.10gb+me", 9984, 14),
                H100_1G_DOUBLE("1g.20gb", 20096, 14),
                H100_2G("2g.20gb", 20096, 30),
                H100_3G("3g.40gb", 40448, 46),
                H100_4G("4g.40gb", 40448, 62),
                H100_7G("7g.80gb", 81152, 114),
            },
    },
    {
        /* No published output; as H100 SXM according to mig-parted. */
        .key = "H800",
        .product_names = {"NVIDIA H800", "NVIDIA H800 PCIe"},
        .pci_ids = {PCI(0x2324), PCI(0x2322)},
        .architecture = "hopper",
        .placements_known = true,
        .model.name = "NVIDIA-H800",
        EIGHT_SLOTS,
        .model.memory_mib = 81559,
        .model.profiles = {H100_SXM_PROFILES},
    },
    {
        /* -lgip and -lgipp of an H100 NVL. */
        .key = "H100-NVL-94GB",
        .product_names = {"NVIDIA H100 NVL", "NVIDIA H800 NVL"},
        .pci_ids = {PCI(0x2321), PCI(0x233A)},
        .architecture = "hopper",
        .multiprocessors = 132,
        .placements_known = true,
        .model.name = "NVIDIA-H100-NVL",
        EIGHT_SLOTS,
        .model.memory_mib = 95830,
        .model.profiles =
            {
                H100_1G("1g.12gb", 11008, 16),
                H100_1G_ME("1g.12gb+me", 11008, 16),
                H100_1G_DOUBLE("1g.24gb", 22144, 26),
                H100_2G("2g.24gb", 22144, 32),
                H100_3G("3g.47gb", 47488, 60),
                H100_4G("4g.47gb", 47488, 64),
                H100_7G("7g.94gb", 95232, 132),
            },
    },
    {
        /* Names and counts from the MIG User Guide; memory and SMs are inferred, placements as H100. */
        .key = "GH200-96GB",
        .product_names = {"NVIDIA GH200 480GB", "NVIDIA GH200 120GB"},
        .pci_ids = {PCI(0x2342)},
        .architecture = "hopper",
        .multiprocessors = 132,
        .placements_known = true,
        .model.name = "NVIDIA-GH200-480GB",
        EIGHT_SLOTS,
        .model.memory_mib = 97871,
        .model.profiles =
            {
                H100_1G("1g.12gb", 11264, 16),
                H100_1G_ME("1g.12gb+me", 11264, 16),
                H100_1G_DOUBLE("1g.24gb", 22656, 26),
                H100_2G("2g.24gb", 22656, 32),
                H100_3G("3g.48gb", 48384, 60),
                H100_4G("4g.48gb", 48384, 64),
                H100_7G("7g.96gb", 97280, 132),
            },
    },
    {
        /* As GH200-96GB; its 78 SMs per profile are unpublished. */
        .key = "H20-96GB",
        .product_names = {"NVIDIA H20"},
        .pci_ids = {PCI(0x2329)},
        .architecture = "hopper",
        .multiprocessors = 78,
        .placements_known = true,
        .model.name = "NVIDIA-H20",
        EIGHT_SLOTS,
        .model.memory_mib = 97871,
        .model.profiles =
            {
                H100_1G("1g.12gb", 11264, 0),
                H100_1G_ME("1g.12gb+me", 11264, 0),
                H100_1G_DOUBLE("1g.24gb", 22656, 0),
                H100_2G("2g.24gb", 22656, 0),
                H100_3G("3g.48gb", 48384, 0),
                H100_4G("4g.48gb", 48384, 0),
                H100_7G("7g.96gb", 97280, 0),
            },
    },
    {
        /* -lgip of a GH200 144G (mig-parted issue 139); placements as H100. */
        .key = "GH200-144GB",
        .product_names = {"NVIDIA GH200 144G HBM3e"},
        .pci_ids = {PCI(0x2348)},
        .architecture = "hopper",
        .multiprocessors = 132,
        .placements_known = true,
        .model.name = "NVIDIA-GH200-144G-HBM3e",
        EIGHT_SLOTS,
        .model.memory_mib = 146831,
        .model.profiles =
            {
                H100_1G("1g.18gb", 17920, 16),
                H100_1G_ME("1g.18gb+me", 17920, 16),
                H100_1G_DOUBLE("1g.36gb", 36096, 26),
                H100_2G("2g.36gb", 36096, 32),
                H100_3G("3g.72gb", 72448, 60),
                H100_4G("4g.72gb", 72448, 64),
                H100_7G("7g.144gb", 145408, 132),
            },
    },
    {
        /* -lgip of an H200 (mig-parted issue 120); placements as H100. */
        .key = "H200",
        .product_names = {"NVIDIA H200", "NVIDIA H200 NVL"},
        .pci_ids = {PCI(0x2335), PCI(0x233B)},
        .architecture = "hopper",
        .multiprocessors = 132,
        .placements_known = true,
        .model.name = "NVIDIA-H200",
        EIGHT_SLOTS,
        .model.memory_mib = 143771,
        .model.profiles =
            {
                H100_1G("1g.18gb", 16384, 16),
                H100_1G_ME("1g.18gb+me", 16384, 16),
                H100_1G_DOUBLE("1g.35gb", 33024, 26),
                H100_2G("2g.35gb", 33024, 32),
                H100_3G("3g.71gb", 71168, 60),
                H100_4G("4g.71gb", 71168, 64),
                H100_7G("7g.141gb", 143104, 132),
            },
    },
    {
        /* Names as H200 (vGPU documentation); SMs per profile are unpublished. */
        .key = "H20-3e-141GB",
        .product_names = {"NVIDIA H20-3e"},
        .pci_ids = {PCI(0x232C)},
        .architecture = "hopper",
        .multiprocessors = 78,
        .placements_known = true,
        .model.name = "NVIDIA-H20-3e",
        EIGHT_SLOTS,
        .model.memory_mib = 143771,
        .model.profiles =
            {
                H100_1G("1g.18gb", 16384, 0),
                H100_1G_ME("1g.18gb+me", 16384, 0),
                H100_1G_DOUBLE("1g.35gb", 33024, 0),
                H100_2G("2g.35gb", 33024, 0),
                H100_3G("3g.71gb", 71168, 0),
                H100_4G("4g.71gb", 71168, 0),
                H100_7G("7g.141gb", 143104, 0),
            },
    },
    {
        /* -lgip of B200 (mig-parted issues 166 and 187); the guide's table disagrees on engines. Placements
           as H100. */
        .key = "B200",
        .product_names = {"NVIDIA B200"},
        .pci_ids = {PCI(0x2901)},
        .architecture = "blackwell",
        .multiprocessors = 148,
        .placements_known = true,
        .model.name = "NVIDIA-B200",
        EIGHT_SLOTS,
        .model.memory_mib = 183359,
        .model.profiles =
            {
                B200_1G("1g.23gb", 22528, 18),
                B200_1G_ME("1g.23gb+me", 22528, 18),
                B200_1G_DOUBLE("1g.45gb", 45312, 30),
                B200_2G("2g.45gb", 45312, 36),
                B200_3G("3g.90gb", 90880, 70),
                B200_4G("4g.90gb", 90880, 72),
                B200_7G("7g.180gb", 182016, 148),
            },
    },
    {
        /* -lgip of a production GB200 (mig-parted issue 227); early firmware said 1g.24gb to 7g.189gb. */
        .key = "GB200",
        .product_names = {"NVIDIA GB200"},
        .pci_ids = {PCI(0x2941)},
        .architecture = "blackwell",
        .multiprocessors = 152,
        .placements_known = true,
        .model.name = "NVIDIA-GB200",
        EIGHT_SLOTS,
        .model.memory_mib = 189471,
        .model.profiles =
            {
                B200_1G("1g.23gb", 22528, 18),
                B200_1G_ME("1g.23gb+me", 22528, 18),
                B200_1G_DOUBLE("1g.47gb", 46592, 32),
                B200_2G("2g.47gb", 46592, 38),
                B200_3G("3g.93gb", 93696, 72),
                B200_4G("4g.93gb", 93696, 76),
                B200_7G("7g.186gb", 187904, 152),
            },
    },
    {
        /* Names and counts from mig-parted's default configuration; memory and SMs are inferred. */
        .key = "B300",
        .product_names = {"NVIDIA B300 SXM6 AC"},
        .pci_ids = {PCI(0x3182)},
        .architecture = "blackwell",
        .multiprocessors = 148,
        .placements_known = true,
        .model.name = "NVIDIA-B300-SXM6-AC",
        EIGHT_SLOTS,
        .model.memory_mib = 275040,
        .model.profiles =
            {
                B200_1G("1g.34gb", 32768, 18),
                B200_1G_ME("1g.34gb+me", 32768, 18),
                B200_1G_DOUBLE("1g.67gb", 67584, 30),
                B200_2G("2g.67gb", 67584, 36),
                B200_3G("3g.135gb", 136192, 70),
                B200_4G("4g.135gb", 136192, 72),
                B200_7G("7g.269gb", 273408, 148),
            },
    },
    {
        /* Names and ids from -lgip of a DGX Station; memory and SMs are inferred. */
        .key = "GB300",
        .product_names = {"NVIDIA GB300"},
        .pci_ids = {PCI(0x31C2)},
        .architecture = "blackwell",
        .multiprocessors = 152,
        .placements_known = true,
        .model.name = "NVIDIA-GB300",
        EIGHT_SLOTS,
        .model.memory_mib = 284208,
        .model.profiles =
            {
                B200_1G("1g.35gb", 34048, 18),
                B200_1G_ME("1g.35gb+me", 34048, 18),
                B200_1G_DOUBLE("1g.70gb", 69632, 32),
                B200_2G("2g.70gb", 69632, 38),
                B200_3G("3g.139gb", 140800, 72),
                B200_4G("4g.139gb", 140800, 76),
                B200_7G("7g.278gb", 282624, 152),
            },
    },
    {
        /* -lgip and -lgipp of an RTX PRO 6000; +me.all beside -me only: comment in nvml.h. */
        .key = "RTX-PRO-6000",
        .product_names = {"NVIDIA RTX PRO 6000 Blackwell Server Edition",
                          "NVIDIA RTX PRO 6000 Blackwell Workstation Edition",
                          "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition"},
        .pci_ids = {PCI(0x2BB5), PCI(0x2BB1), PCI(0x2BB4)},
        .architecture = "blackwell",
        .multiprocessors = 188,
        .placements_known = true,
        .model.name = "NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition",
        .model.slot_count = 12,
        .model.profile_count = 11,
        .model.memory_mib = 97887,
        .model.profiles =
            {
                PROFILE(PRO_6000_1G, "1g.24gb", 24192, 46, ENGINES(1, 1, 1, 1, 0)),
                PROFILE(PRO_6000_1G_ME, "1g.24gb+me", 24192, 46, ENGINES(1, 1, 1, 1, 1)),
                PROFILE(PRO_6000_1G_GFX, "1g.24gb+gfx", 24192, 46, ENGINES(1, 1, 1, 1, 0)),
                PROFILE(PRO_6000_1G_ALL_ME, "1g.24gb+me.all", 24192, 46, ENGINES(1, 4, 4, 4, 1)),
                PROFILE(PRO_6000_1G_NO_ME, "1g.24gb-me", 24192, 46, ENGINES(1, 0, 0, 0, 0)),
                PROFILE(PRO_6000_2G, "2g.48gb", 48512, 94, ENGINES(2, 2, 2, 2, 0)),
                PROFILE(PRO_6000_2G_GFX, "2g.48gb+gfx", 48512, 94, ENGINES(2, 2, 2, 2, 0)),
                PROFILE(PRO_6000_2G_ALL_ME, "2g.48gb+me.all", 48512, 94, ENGINES(2, 4, 4, 4, 1)),
                PROFILE(PRO_6000_2G_NO_ME, "2g.48gb-me", 48512, 94, ENGINES(2, 0, 0, 0, 0)),
                PROFILE(PRO_6000_4G, "4g.96gb", 97408, 188, ENGINES(4, 4, 4, 4, 1)),
                PROFILE(PRO_6000_4G_GFX, "4g.96gb+gfx", 97408, 188, ENGINES(4, 4, 4, 4, 1)),
            },
    },
    {
        /* MIG User Guide (590, 610): names, counts, engines. The 72 GB version has the same device id. */
        .key = "RTX-PRO-5000-48GB",
        .product_names = {"NVIDIA RTX PRO 5000 Blackwell"},
        .pci_ids = {PCI(0x2BB3)},
        .architecture = "blackwell",
        .multiprocessors = 110,
        .model.name = "NVIDIA-RTX-PRO-5000-Blackwell",
        .model.profile_count = 7,
        .model.memory_mib = 48935,
        .model.profiles =
            {
                PROFILE(UNPLACED(1, MIG_PLAIN, 2, 0, -1), "1g.24gb", 23900, 0, ENGINES(1, 1, 1, 0, 0)),
                PROFILE(UNPLACED(1, MIG_ME, 1, 7, -1), "1g.24gb+me", 23900, 0, ENGINES(1, 1, 1, 1, 1)),
                PROFILE(UNPLACED(1, MIG_GFX, 2, 10, -1), "1g.24gb+gfx", 23900, 0, ENGINES(1, 1, 1, 0, 0)),
                PROFILE(UNPLACED(1, MIG_ALL_ME, 1, 15, -1), "1g.24gb+me.all", 23900, 0,
                        ENGINES(1, 3, 3, 1, 1)),
                PROFILE(UNPLACED(1, MIG_NO_ME, 2, 13, -1), "1g.24gb-me", 23900, 0, ENGINES(1, 0, 0, 0, 0)),
                PROFILE(UNPLACED(2, MIG_PLAIN, 1, 1, 0), "2g.48gb", 47800, 0, ENGINES(4, 3, 3, 1, 1)),
                PROFILE(UNPLACED(2, MIG_GFX, 1, 11, -1), "2g.48gb+gfx", 47800, 0, ENGINES(4, 3, 3, 1, 1)),
            },
    },
    {
        /* MIG User Guide (590, 610): names, counts, engines. */
        .key = "RTX-PRO-4500-32GB",
        .product_names = {"NVIDIA RTX PRO 4500 Blackwell"},
        .pci_ids = {PCI(0x2C31)},
        .architecture = "blackwell",
        .model.name = "NVIDIA-RTX-PRO-4500-Blackwell",
        .model.profile_count = 6,
        .model.memory_mib = 32623,
        .model.profiles =
            {
                PROFILE(UNPLACED(1, MIG_PLAIN, 2, 0, -1), "1g.16gb", 15900, 0, ENGINES(1, 1, 1, 1, 0)),
                PROFILE(UNPLACED(1, MIG_GFX, 2, 10, -1), "1g.16gb+gfx", 15900, 0, ENGINES(1, 1, 1, 1, 0)),
                PROFILE(UNPLACED(1, MIG_ALL_ME, 1, 15, -1), "1g.16gb+me.all", 15900, 0,
                        ENGINES(1, 3, 3, 2, 1)),
                PROFILE(UNPLACED(1, MIG_NO_ME, 2, 13, -1), "1g.16gb-me", 15900, 0, ENGINES(1, 0, 0, 0, 0)),
                PROFILE(UNPLACED(2, MIG_PLAIN, 1, 1, 0), "2g.32gb", 31900, 0, ENGINES(2, 3, 3, 2, 1)),
                PROFILE(UNPLACED(2, MIG_GFX, 1, 11, -1), "2g.32gb+gfx", 31900, 0, ENGINES(2, 3, 3, 2, 1)),
            },
    },
    {
        /* MIG User Guide: not slot based; at most one compute and one +gfx instance, 3g alone. Unified
           memory. */
        .key = "THOR-IGPU",
        .product_names = {"NVIDIA Thor"},
        .architecture = "blackwell",
        .multiprocessors = 20,
        .model.name = "NVIDIA-Thor",
        .model.profile_count = 7,
        .model.profiles =
            {
                PROFILE(UNPLACED(1, MIG_PLAIN, 1, 0, -1), "1g.0gb", 0, 8, ENGINES_UNKNOWN),
                PROFILE(UNPLACED(1, MIG_ME, 1, 7, 78), "1g.0gb+me", 0, 8, ENGINES_UNKNOWN),
                PROFILE(UNPLACED(1, MIG_GFX, 1, 10, -1), "1g.0gb+gfx", 0, 8, ENGINES_UNKNOWN),
                PROFILE(UNPLACED(2, MIG_PLAIN, 1, 1, -1), "2g.0gb", 0, 12, ENGINES_UNKNOWN),
                PROFILE(UNPLACED(2, MIG_GFX, 1, 11, 83), "2g.0gb+gfx", 0, 12, ENGINES_UNKNOWN),
                PROFILE(UNPLACED(3, MIG_PLAIN, 1, 2, -1), "3g.0gb", 0, 20, ENGINES_UNKNOWN),
                PROFILE(UNPLACED(3, MIG_GFX, 1, 17, -1), "3g.0gb+gfx", 0, 20, ENGINES_UNKNOWN),
            },
    },
};

const MigModelRow *mig_model_rows(int *ret_count) {
  *ret_count = (int)COUNT_OF(rows);
  return rows;
}
