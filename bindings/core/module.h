/*
 * module: the entry of require "lucio"; the public header declares it too.
 */
#ifndef LC_MODULE_H
#define LC_MODULE_H

#include <lua.h>

#include "lucio.h"

#endif
