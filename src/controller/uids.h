/* SPDX-License-Identifier: Apache-2.0 */
/* A set of objects' uids: sixteen bytes each, where they are in the form of RFC 4122. */
#pragma once

#include "base/array.h"
#include "base/slots.h"
#include "cluster/object.h"

typedef struct ControllerUids {
  ARRAY(ObjectUid) items; /* packed, or with a text of its own */
  Slots slots;
} ControllerUids;

/* Copied; false: it is there already. It must say something. */
bool controller_uids_add(ControllerUids *uids, ObjectUid uid);
/* Nothing where it is not there. */
void controller_uids_remove(ControllerUids *uids, ObjectUid uid);
void controller_uids_deinit(ControllerUids *uids);
