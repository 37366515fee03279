/* SPDX-License-Identifier: Apache-2.0 */
/* The whole table, written out from the collected sources instead of from the macros that build it: a slip in
 * a shared shape shows here. A line per model, then one per profile:
 *
 *     name  NVML index/id  instances max x slots @ starts  auto order of preference  memory  SMs  engines
 *
 * 0 and -1 stand for what no source tells. */
#include "base/test.h"

#include "base/text.h"
#include "mig/model.h"

/* clang-format off */
static const char *const golden[] = {
    "A100-40GB ampere 40960MiB 108SM 8 slots reset [NVIDIA A100-SXM4-40GB, NVIDIA A100-PCIE-40GB, NVIDIA A100-PG509-200] 20B0 20F1",
    " 1g.5gb 0/19 7x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 4864MiB 14SM ce1 dec0 enc0 jpg0 ofa0",
    " 1g.5gb+me 7/20 1x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 4864MiB 14SM ce1 dec1 enc0 jpg1 ofa1",
    " 1g.10gb 9/15 4x2@0,2,4,6 auto 6,4,0,2 9856MiB 14SM ce1 dec1 enc0 jpg0 ofa0",
    " 2g.10gb 1/14 3x2@0,2,4 auto 4,0,2 9856MiB 28SM ce2 dec1 enc0 jpg0 ofa0",
    " 3g.20gb 2/9 2x4@0,4 auto 4,0 19968MiB 42SM ce3 dec2 enc0 jpg0 ofa0",
    " 4g.20gb 3/5 1x4@0 auto 0 19968MiB 56SM ce4 dec2 enc0 jpg0 ofa0",
    " 7g.40gb 4/0 1x8@0 auto 0 40192MiB 98SM ce7 dec5 enc0 jpg1 ofa1",
    "A800-40GB ampere 40960MiB 0SM 8 slots reset [NVIDIA A800-SXM4-40GB, NVIDIA A800 40GB Active] 20BD 20F6",
    " 1g.5gb 0/19 7x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 4864MiB 14SM ce1 dec0 enc0 jpg0 ofa0",
    " 1g.5gb+me 7/20 1x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 4864MiB 14SM ce1 dec1 enc0 jpg1 ofa1",
    " 1g.10gb 9/15 4x2@0,2,4,6 auto 6,4,0,2 9856MiB 14SM ce1 dec1 enc0 jpg0 ofa0",
    " 2g.10gb 1/14 3x2@0,2,4 auto 4,0,2 9856MiB 28SM ce2 dec1 enc0 jpg0 ofa0",
    " 3g.20gb 2/9 2x4@0,4 auto 4,0 19968MiB 42SM ce3 dec2 enc0 jpg0 ofa0",
    " 4g.20gb 3/5 1x4@0 auto 0 19968MiB 56SM ce4 dec2 enc0 jpg0 ofa0",
    " 7g.40gb 4/0 1x8@0 auto 0 40192MiB 98SM ce7 dec5 enc0 jpg1 ofa1",
    "A100-80GB ampere 81920MiB 108SM 8 slots reset [NVIDIA A100-SXM4-80GB, NVIDIA A100 80GB PCIe] 20B2 20B5",
    " 1g.10gb 0/19 7x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 9728MiB 14SM ce1 dec0 enc0 jpg0 ofa0",
    " 1g.10gb+me 7/20 1x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 9728MiB 14SM ce1 dec1 enc0 jpg1 ofa1",
    " 1g.20gb 9/15 4x2@0,2,4,6 auto 6,4,0,2 19968MiB 14SM ce1 dec1 enc0 jpg0 ofa0",
    " 2g.20gb 1/14 3x2@0,2,4 auto 4,0,2 19968MiB 28SM ce2 dec1 enc0 jpg0 ofa0",
    " 3g.40gb 2/9 2x4@0,4 auto 4,0 40192MiB 42SM ce3 dec2 enc0 jpg0 ofa0",
    " 4g.40gb 3/5 1x4@0 auto 0 40192MiB 56SM ce4 dec2 enc0 jpg0 ofa0",
    " 7g.80gb 4/0 1x8@0 auto 0 80896MiB 98SM ce7 dec5 enc0 jpg1 ofa1",
    "A800-80GB ampere 81920MiB 0SM 8 slots reset [NVIDIA A800-SXM4-80GB, NVIDIA A800 80GB PCIe] 20F3 20F5",
    " 1g.10gb 0/19 7x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 9728MiB 14SM ce1 dec0 enc0 jpg0 ofa0",
    " 1g.10gb+me 7/20 1x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 9728MiB 14SM ce1 dec1 enc0 jpg1 ofa1",
    " 1g.20gb 9/15 4x2@0,2,4,6 auto 6,4,0,2 19968MiB 14SM ce1 dec1 enc0 jpg0 ofa0",
    " 2g.20gb 1/14 3x2@0,2,4 auto 4,0,2 19968MiB 28SM ce2 dec1 enc0 jpg0 ofa0",
    " 3g.40gb 2/9 2x4@0,4 auto 4,0 40192MiB 42SM ce3 dec2 enc0 jpg0 ofa0",
    " 4g.40gb 3/5 1x4@0 auto 0 40192MiB 56SM ce4 dec2 enc0 jpg0 ofa0",
    " 7g.80gb 4/0 1x8@0 auto 0 80896MiB 98SM ce7 dec5 enc0 jpg1 ofa1",
    "A30 ampere 24576MiB 56SM 4 slots reset [NVIDIA A30] 20B7",
    " 1g.6gb 0/14 4x1@0,1,2,3 auto 0,1,2,3 5952MiB 14SM ce1 dec0 enc0 jpg0 ofa0",
    " 1g.6gb+me 7/21 1x1@0,1,2,3 auto 0,1,2,3 5952MiB 14SM ce1 dec1 enc0 jpg1 ofa1",
    " 2g.12gb 1/5 2x2@0,2 auto 0,2 11968MiB 28SM ce2 dec2 enc0 jpg0 ofa0",
    " 2g.12gb+me 8/6 1x2@0,2 auto 0,2 11968MiB 28SM ce2 dec2 enc0 jpg1 ofa1",
    " 4g.24gb 3/0 1x4@0 auto 0 24064MiB 56SM ce4 dec4 enc0 jpg1 ofa1",
    "H100-SXM-80GB hopper 81559MiB 132SM 8 slots [NVIDIA H100 80GB HBM3] 2330",
    " 1g.10gb 0/19 7x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 9984MiB 16SM ce1 dec1 enc0 jpg1 ofa0",
    " 1g.10gb+me 7/20 1x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 9984MiB 16SM ce1 dec1 enc0 jpg1 ofa1",
    " 1g.20gb 9/15 4x2@0,2,4,6 auto 6,4,0,2 20096MiB 26SM ce1 dec1 enc0 jpg1 ofa0",
    " 2g.20gb 1/14 3x2@0,2,4 auto 4,0,2 20096MiB 32SM ce2 dec2 enc0 jpg2 ofa0",
    " 3g.40gb 2/9 2x4@0,4 auto 4,0 40448MiB 60SM ce3 dec3 enc0 jpg3 ofa0",
    " 4g.40gb 3/5 1x4@0 auto 0 40448MiB 64SM ce4 dec4 enc0 jpg4 ofa0",
    " 7g.80gb 4/0 1x8@0 auto 0 81152MiB 132SM ce8 dec7 enc0 jpg7 ofa1",
    "H100-PCIE-80GB hopper 81559MiB 114SM 8 slots [NVIDIA H100 PCIe] 2331",
    " 1g.10gb 0/19 7x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 9984MiB 14SM ce1 dec1 enc0 jpg1 ofa0",
    " 1g.10gb+me 7/20 1x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 9984MiB 14SM ce1 dec1 enc0 jpg1 ofa1",
    " 1g.20gb 9/15 4x2@0,2,4,6 auto 6,4,0,2 20096MiB 14SM ce1 dec1 enc0 jpg1 ofa0",
    " 2g.20gb 1/14 3x2@0,2,4 auto 4,0,2 20096MiB 30SM ce2 dec2 enc0 jpg2 ofa0",
    " 3g.40gb 2/9 2x4@0,4 auto 4,0 40448MiB 46SM ce3 dec3 enc0 jpg3 ofa0",
    " 4g.40gb 3/5 1x4@0 auto 0 40448MiB 62SM ce4 dec4 enc0 jpg4 ofa0",
    " 7g.80gb 4/0 1x8@0 auto 0 81152MiB 114SM ce8 dec7 enc0 jpg7 ofa1",
    "H800 hopper 81559MiB 0SM 8 slots [NVIDIA H800, NVIDIA H800 PCIe] 2324 2322",
    " 1g.10gb 0/19 7x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 9984MiB 16SM ce1 dec1 enc0 jpg1 ofa0",
    " 1g.10gb+me 7/20 1x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 9984MiB 16SM ce1 dec1 enc0 jpg1 ofa1",
    " 1g.20gb 9/15 4x2@0,2,4,6 auto 6,4,0,2 20096MiB 26SM ce1 dec1 enc0 jpg1 ofa0",
    " 2g.20gb 1/14 3x2@0,2,4 auto 4,0,2 20096MiB 32SM ce2 dec2 enc0 jpg2 ofa0",
    " 3g.40gb 2/9 2x4@0,4 auto 4,0 40448MiB 60SM ce3 dec3 enc0 jpg3 ofa0",
    " 4g.40gb 3/5 1x4@0 auto 0 40448MiB 64SM ce4 dec4 enc0 jpg4 ofa0",
    " 7g.80gb 4/0 1x8@0 auto 0 81152MiB 132SM ce8 dec7 enc0 jpg7 ofa1",
    "H100-NVL-94GB hopper 95830MiB 132SM 8 slots [NVIDIA H100 NVL, NVIDIA H800 NVL] 2321 233A",
    " 1g.12gb 0/19 7x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 11008MiB 16SM ce1 dec1 enc0 jpg1 ofa0",
    " 1g.12gb+me 7/20 1x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 11008MiB 16SM ce1 dec1 enc0 jpg1 ofa1",
    " 1g.24gb 9/15 4x2@0,2,4,6 auto 6,4,0,2 22144MiB 26SM ce1 dec1 enc0 jpg1 ofa0",
    " 2g.24gb 1/14 3x2@0,2,4 auto 4,0,2 22144MiB 32SM ce2 dec2 enc0 jpg2 ofa0",
    " 3g.47gb 2/9 2x4@0,4 auto 4,0 47488MiB 60SM ce3 dec3 enc0 jpg3 ofa0",
    " 4g.47gb 3/5 1x4@0 auto 0 47488MiB 64SM ce4 dec4 enc0 jpg4 ofa0",
    " 7g.94gb 4/0 1x8@0 auto 0 95232MiB 132SM ce8 dec7 enc0 jpg7 ofa1",
    "GH200-96GB hopper 97871MiB 132SM 8 slots [NVIDIA GH200 480GB, NVIDIA GH200 120GB] 2342",
    " 1g.12gb 0/19 7x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 11264MiB 16SM ce1 dec1 enc0 jpg1 ofa0",
    " 1g.12gb+me 7/20 1x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 11264MiB 16SM ce1 dec1 enc0 jpg1 ofa1",
    " 1g.24gb 9/15 4x2@0,2,4,6 auto 6,4,0,2 22656MiB 26SM ce1 dec1 enc0 jpg1 ofa0",
    " 2g.24gb 1/14 3x2@0,2,4 auto 4,0,2 22656MiB 32SM ce2 dec2 enc0 jpg2 ofa0",
    " 3g.48gb 2/9 2x4@0,4 auto 4,0 48384MiB 60SM ce3 dec3 enc0 jpg3 ofa0",
    " 4g.48gb 3/5 1x4@0 auto 0 48384MiB 64SM ce4 dec4 enc0 jpg4 ofa0",
    " 7g.96gb 4/0 1x8@0 auto 0 97280MiB 132SM ce8 dec7 enc0 jpg7 ofa1",
    "H20-96GB hopper 97871MiB 78SM 8 slots [NVIDIA H20] 2329",
    " 1g.12gb 0/19 7x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 11264MiB 0SM ce1 dec1 enc0 jpg1 ofa0",
    " 1g.12gb+me 7/20 1x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 11264MiB 0SM ce1 dec1 enc0 jpg1 ofa1",
    " 1g.24gb 9/15 4x2@0,2,4,6 auto 6,4,0,2 22656MiB 0SM ce1 dec1 enc0 jpg1 ofa0",
    " 2g.24gb 1/14 3x2@0,2,4 auto 4,0,2 22656MiB 0SM ce2 dec2 enc0 jpg2 ofa0",
    " 3g.48gb 2/9 2x4@0,4 auto 4,0 48384MiB 0SM ce3 dec3 enc0 jpg3 ofa0",
    " 4g.48gb 3/5 1x4@0 auto 0 48384MiB 0SM ce4 dec4 enc0 jpg4 ofa0",
    " 7g.96gb 4/0 1x8@0 auto 0 97280MiB 0SM ce8 dec7 enc0 jpg7 ofa1",
    "GH200-144GB hopper 146831MiB 132SM 8 slots [NVIDIA GH200 144G HBM3e] 2348",
    " 1g.18gb 0/19 7x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 17920MiB 16SM ce1 dec1 enc0 jpg1 ofa0",
    " 1g.18gb+me 7/20 1x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 17920MiB 16SM ce1 dec1 enc0 jpg1 ofa1",
    " 1g.36gb 9/15 4x2@0,2,4,6 auto 6,4,0,2 36096MiB 26SM ce1 dec1 enc0 jpg1 ofa0",
    " 2g.36gb 1/14 3x2@0,2,4 auto 4,0,2 36096MiB 32SM ce2 dec2 enc0 jpg2 ofa0",
    " 3g.72gb 2/9 2x4@0,4 auto 4,0 72448MiB 60SM ce3 dec3 enc0 jpg3 ofa0",
    " 4g.72gb 3/5 1x4@0 auto 0 72448MiB 64SM ce4 dec4 enc0 jpg4 ofa0",
    " 7g.144gb 4/0 1x8@0 auto 0 145408MiB 132SM ce8 dec7 enc0 jpg7 ofa1",
    "H200 hopper 143771MiB 132SM 8 slots [NVIDIA H200, NVIDIA H200 NVL] 2335 233B",
    " 1g.18gb 0/19 7x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 16384MiB 16SM ce1 dec1 enc0 jpg1 ofa0",
    " 1g.18gb+me 7/20 1x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 16384MiB 16SM ce1 dec1 enc0 jpg1 ofa1",
    " 1g.35gb 9/15 4x2@0,2,4,6 auto 6,4,0,2 33024MiB 26SM ce1 dec1 enc0 jpg1 ofa0",
    " 2g.35gb 1/14 3x2@0,2,4 auto 4,0,2 33024MiB 32SM ce2 dec2 enc0 jpg2 ofa0",
    " 3g.71gb 2/9 2x4@0,4 auto 4,0 71168MiB 60SM ce3 dec3 enc0 jpg3 ofa0",
    " 4g.71gb 3/5 1x4@0 auto 0 71168MiB 64SM ce4 dec4 enc0 jpg4 ofa0",
    " 7g.141gb 4/0 1x8@0 auto 0 143104MiB 132SM ce8 dec7 enc0 jpg7 ofa1",
    "H20-3e-141GB hopper 143771MiB 78SM 8 slots [NVIDIA H20-3e] 232C",
    " 1g.18gb 0/19 7x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 16384MiB 0SM ce1 dec1 enc0 jpg1 ofa0",
    " 1g.18gb+me 7/20 1x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 16384MiB 0SM ce1 dec1 enc0 jpg1 ofa1",
    " 1g.35gb 9/15 4x2@0,2,4,6 auto 6,4,0,2 33024MiB 0SM ce1 dec1 enc0 jpg1 ofa0",
    " 2g.35gb 1/14 3x2@0,2,4 auto 4,0,2 33024MiB 0SM ce2 dec2 enc0 jpg2 ofa0",
    " 3g.71gb 2/9 2x4@0,4 auto 4,0 71168MiB 0SM ce3 dec3 enc0 jpg3 ofa0",
    " 4g.71gb 3/5 1x4@0 auto 0 71168MiB 0SM ce4 dec4 enc0 jpg4 ofa0",
    " 7g.141gb 4/0 1x8@0 auto 0 143104MiB 0SM ce8 dec7 enc0 jpg7 ofa1",
    "B200 blackwell 183359MiB 148SM 8 slots [NVIDIA B200] 2901",
    " 1g.23gb 0/19 7x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 22528MiB 18SM ce2 dec1 enc0 jpg1 ofa0",
    " 1g.23gb+me 7/20 1x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 22528MiB 18SM ce2 dec1 enc0 jpg1 ofa1",
    " 1g.45gb 9/15 4x2@0,2,4,6 auto 6,4,0,2 45312MiB 30SM ce2 dec1 enc0 jpg1 ofa0",
    " 2g.45gb 1/14 3x2@0,2,4 auto 4,0,2 45312MiB 36SM ce4 dec2 enc0 jpg2 ofa0",
    " 3g.90gb 2/9 2x4@0,4 auto 4,0 90880MiB 70SM ce6 dec3 enc0 jpg3 ofa0",
    " 4g.90gb 3/5 1x4@0 auto 0 90880MiB 72SM ce8 dec4 enc0 jpg4 ofa0",
    " 7g.180gb 4/0 1x8@0 auto 0 182016MiB 148SM ce16 dec7 enc0 jpg7 ofa1",
    "GB200 blackwell 189471MiB 152SM 8 slots [NVIDIA GB200] 2941",
    " 1g.23gb 0/19 7x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 22528MiB 18SM ce2 dec1 enc0 jpg1 ofa0",
    " 1g.23gb+me 7/20 1x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 22528MiB 18SM ce2 dec1 enc0 jpg1 ofa1",
    " 1g.47gb 9/15 4x2@0,2,4,6 auto 6,4,0,2 46592MiB 32SM ce2 dec1 enc0 jpg1 ofa0",
    " 2g.47gb 1/14 3x2@0,2,4 auto 4,0,2 46592MiB 38SM ce4 dec2 enc0 jpg2 ofa0",
    " 3g.93gb 2/9 2x4@0,4 auto 4,0 93696MiB 72SM ce6 dec3 enc0 jpg3 ofa0",
    " 4g.93gb 3/5 1x4@0 auto 0 93696MiB 76SM ce8 dec4 enc0 jpg4 ofa0",
    " 7g.186gb 4/0 1x8@0 auto 0 187904MiB 152SM ce16 dec7 enc0 jpg7 ofa1",
    "B300 blackwell 275040MiB 148SM 8 slots [NVIDIA B300 SXM6 AC] 3182",
    " 1g.34gb 0/19 7x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 32768MiB 18SM ce2 dec1 enc0 jpg1 ofa0",
    " 1g.34gb+me 7/20 1x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 32768MiB 18SM ce2 dec1 enc0 jpg1 ofa1",
    " 1g.67gb 9/15 4x2@0,2,4,6 auto 6,4,0,2 67584MiB 30SM ce2 dec1 enc0 jpg1 ofa0",
    " 2g.67gb 1/14 3x2@0,2,4 auto 4,0,2 67584MiB 36SM ce4 dec2 enc0 jpg2 ofa0",
    " 3g.135gb 2/9 2x4@0,4 auto 4,0 136192MiB 70SM ce6 dec3 enc0 jpg3 ofa0",
    " 4g.135gb 3/5 1x4@0 auto 0 136192MiB 72SM ce8 dec4 enc0 jpg4 ofa0",
    " 7g.269gb 4/0 1x8@0 auto 0 273408MiB 148SM ce16 dec7 enc0 jpg7 ofa1",
    "GB300 blackwell 284208MiB 152SM 8 slots [NVIDIA GB300] 31C2",
    " 1g.35gb 0/19 7x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 34048MiB 18SM ce2 dec1 enc0 jpg1 ofa0",
    " 1g.35gb+me 7/20 1x1@0,1,2,3,4,5,6 auto 6,4,5,0,1,2,3 34048MiB 18SM ce2 dec1 enc0 jpg1 ofa1",
    " 1g.70gb 9/15 4x2@0,2,4,6 auto 6,4,0,2 69632MiB 32SM ce2 dec1 enc0 jpg1 ofa0",
    " 2g.70gb 1/14 3x2@0,2,4 auto 4,0,2 69632MiB 38SM ce4 dec2 enc0 jpg2 ofa0",
    " 3g.139gb 2/9 2x4@0,4 auto 4,0 140800MiB 72SM ce6 dec3 enc0 jpg3 ofa0",
    " 4g.139gb 3/5 1x4@0 auto 0 140800MiB 76SM ce8 dec4 enc0 jpg4 ofa0",
    " 7g.278gb 4/0 1x8@0 auto 0 282624MiB 152SM ce16 dec7 enc0 jpg7 ofa1",
    "RTX-PRO-6000 blackwell 97887MiB 188SM 12 slots [NVIDIA RTX PRO 6000 Blackwell Server Edition, NVIDIA RTX PRO 6000 Blackwell Workstation Edition, NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition] 2BB5 2BB1 2BB4",
    " 1g.24gb 0/14 4x3@0,3,6,9 auto 0,3,6,9 24192MiB 46SM ce1 dec1 enc1 jpg1 ofa0",
    " 1g.24gb+me 7/21 1x3@0,3,6,9 auto 0,3,6,9 24192MiB 46SM ce1 dec1 enc1 jpg1 ofa1",
    " 1g.24gb+gfx 10/47 4x3@0,3,6,9 auto 0,3,6,9 24192MiB 46SM ce1 dec1 enc1 jpg1 ofa0",
    " 1g.24gb+me.all 15/65 1x3@0,3,6,9 auto 0,3,6,9 24192MiB 46SM ce1 dec4 enc4 jpg4 ofa1",
    " 1g.24gb-me 13/67 4x3@0,3,6,9 auto 0,3,6,9 24192MiB 46SM ce1 dec0 enc0 jpg0 ofa0",
    " 2g.48gb 1/5 2x6@0,6 auto 0,6 48512MiB 94SM ce2 dec2 enc2 jpg2 ofa0",
    " 2g.48gb+gfx 11/35 2x6@0,6 auto 0,6 48512MiB 94SM ce2 dec2 enc2 jpg2 ofa0",
    " 2g.48gb+me.all 16/64 1x6@0,6 auto 0,6 48512MiB 94SM ce2 dec4 enc4 jpg4 ofa1",
    " 2g.48gb-me 14/66 2x6@0,6 auto 0,6 48512MiB 94SM ce2 dec0 enc0 jpg0 ofa0",
    " 4g.96gb 3/0 1x12@0 auto 0 97408MiB 188SM ce4 dec4 enc4 jpg4 ofa1",
    " 4g.96gb+gfx 12/32 1x12@0 auto 0 97408MiB 188SM ce4 dec4 enc4 jpg4 ofa1",
    "RTX-PRO-5000-48GB blackwell 48935MiB 110SM 0 slots [NVIDIA RTX PRO 5000 Blackwell] 2BB3",
    " 1g.24gb 0/-1 2x0@ auto  23900MiB 0SM ce1 dec1 enc1 jpg0 ofa0",
    " 1g.24gb+me 7/-1 1x0@ auto  23900MiB 0SM ce1 dec1 enc1 jpg1 ofa1",
    " 1g.24gb+gfx 10/-1 2x0@ auto  23900MiB 0SM ce1 dec1 enc1 jpg0 ofa0",
    " 1g.24gb+me.all 15/-1 1x0@ auto  23900MiB 0SM ce1 dec3 enc3 jpg1 ofa1",
    " 1g.24gb-me 13/-1 2x0@ auto  23900MiB 0SM ce1 dec0 enc0 jpg0 ofa0",
    " 2g.48gb 1/0 1x0@ auto  47800MiB 0SM ce4 dec3 enc3 jpg1 ofa1",
    " 2g.48gb+gfx 11/-1 1x0@ auto  47800MiB 0SM ce4 dec3 enc3 jpg1 ofa1",
    "RTX-PRO-4500-32GB blackwell 32623MiB 0SM 0 slots [NVIDIA RTX PRO 4500 Blackwell] 2C31",
    " 1g.16gb 0/-1 2x0@ auto  15900MiB 0SM ce1 dec1 enc1 jpg1 ofa0",
    " 1g.16gb+gfx 10/-1 2x0@ auto  15900MiB 0SM ce1 dec1 enc1 jpg1 ofa0",
    " 1g.16gb+me.all 15/-1 1x0@ auto  15900MiB 0SM ce1 dec3 enc3 jpg2 ofa1",
    " 1g.16gb-me 13/-1 2x0@ auto  15900MiB 0SM ce1 dec0 enc0 jpg0 ofa0",
    " 2g.32gb 1/0 1x0@ auto  31900MiB 0SM ce2 dec3 enc3 jpg2 ofa1",
    " 2g.32gb+gfx 11/-1 1x0@ auto  31900MiB 0SM ce2 dec3 enc3 jpg2 ofa1",
    "THOR-IGPU blackwell 0MiB 20SM 0 slots [NVIDIA Thor] ",
    " 1g.0gb 0/-1 1x0@ auto  0MiB 8SM ce0 dec0 enc0 jpg0 ofa0",
    " 1g.0gb+me 7/78 1x0@ auto  0MiB 8SM ce0 dec0 enc0 jpg0 ofa0",
    " 1g.0gb+gfx 10/-1 1x0@ auto  0MiB 8SM ce0 dec0 enc0 jpg0 ofa0",
    " 2g.0gb 1/-1 1x0@ auto  0MiB 12SM ce0 dec0 enc0 jpg0 ofa0",
    " 2g.0gb+gfx 11/83 1x0@ auto  0MiB 12SM ce0 dec0 enc0 jpg0 ofa0",
    " 3g.0gb 2/-1 1x0@ auto  0MiB 20SM ce0 dec0 enc0 jpg0 ofa0",
    " 3g.0gb+gfx 17/-1 1x0@ auto  0MiB 20SM ce0 dec0 enc0 jpg0 ofa0",
};
/* clang-format on */

static void format_row(const MigModelRow *row, Text *text) {
  text_clear(text);
  text_format(text, "%s %s %uMiB %dSM %d slots%s [", row->key, row->architecture, row->model.memory_mib,
              row->multiprocessors, row->model.slot_count, row->model.mode_needs_reset ? " reset" : "");
  for (int i = 0; row->product_names[i]; i++)
    text_format(text, "%s%s", i ? ", " : "", row->product_names[i]);
  text_append(text, "]");
  for (int i = 0; row->pci_ids[i]; i++) {
    assert_int_equal(row->pci_ids[i] & 0xffff, 0x10de);
    text_format(text, " %04X", row->pci_ids[i] >> 16);
  }
  if (!row->pci_ids[0])
    text_append(text, " ");
}

static void format_profile(const MigProfile *profile, Text *text) {
  text_clear(text);
  text_format(text, " %s %d/%d %dx%d@", profile->name, profile->nvml_index, profile->nvml_id,
              profile->instance_count_max, profile->size);
  const char *separator = "";
  for (int start = 0; start < MIG_SLOTS_MAX; start++)
    if (profile->starts >> start & 1) {
      text_format(text, "%s%d", separator, start);
      separator = ",";
    }
  text_append(text, " auto ");
  for (int i = 0; i < profile->auto_start_count; i++)
    text_format(text, "%s%d", i ? "," : "", profile->auto_starts[i]);
  text_format(text, " %uMiB %dSM ce%d dec%d enc%d jpg%d ofa%d", profile->memory_mib, profile->multiprocessors,
              profile->copy_engines, profile->decoders, profile->encoders, profile->jpegs, profile->ofas);
}

static void the_table_says_what_the_sources_say(void **state) {
  CLEANUP(text_deinit) Text line = {0};
  int row_count;
  const MigModelRow *rows = mig_model_rows(&row_count);
  size_t at = 0;
  for (int i = 0; i < row_count; i++) {
    assert_true(at < COUNT_OF(golden));
    format_row(&rows[i], &line);
    assert_string_equal(text_string(&line), golden[at++]);
    for (int k = 0; k < rows[i].model.profile_count; k++) {
      assert_true(at < COUNT_OF(golden));
      format_profile(&rows[i].model.profiles[k], &line);
      assert_string_equal(text_string(&line), golden[at++]);
    }
  }
  assert_int_equal(at, COUNT_OF(golden));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_table_says_what_the_sources_say),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
