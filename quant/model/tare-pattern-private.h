/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-pattern.h"

G_BEGIN_DECLS

#define TARE_PATTERN_NONE G_MAXUINT32

/* Every general category, and those of letters. */
#define TARE_CATEGORIES_ALL ((1u << 30) - 1)

/**
 * TarePatternItem:
 * @first: the first character of a range
 * @last: the last; a range without characters where it is less
 * @categories: a bit for each #GUnicodeType that belongs
 * @script: a #GUnicodeScript that belongs, or %G_UNICODE_SCRIPT_INVALID_CODE
 * @space: 1: white space belongs, -1: all that is none does
 *
 * A part of a set, of which only one member is used.
 */
typedef struct
{
  gunichar       first;
  gunichar       last;
  guint32        categories;
  GUnicodeScript script;
  int            space;
} TarePatternItem;

/**
 * TarePatternSet:
 * @items: what belongs
 * @negated: or rather what does not
 * @and: what must also hold: another set, or %TARE_PATTERN_NONE
 * @ascii: a bit for each character of ASCII, all of this worked out
 */
typedef struct
{
  GArray   *items;
  gboolean  negated;
  guint32   and;
  guint32   ascii[4];
} TarePatternSet;

/**
 * TarePatternOp:
 * @TARE_PATTERN_SET: one character of a set
 * @TARE_PATTERN_LOOP: some of a set
 * @TARE_PATTERN_SPLIT: goes on at @to, and if that fails at @otherwise
 * @TARE_PATTERN_JUMP: goes on at @to
 * @TARE_PATTERN_LOOK: whether what follows up to the next match holds here, then on at @to
 * @TARE_PATTERN_BEGIN: the begin of the text, or of a line
 * @TARE_PATTERN_END: the end of the text, or of a line
 * @TARE_PATTERN_MATCH: done
 */
typedef enum
{
  TARE_PATTERN_SET,
  TARE_PATTERN_LOOP,
  TARE_PATTERN_SPLIT,
  TARE_PATTERN_JUMP,
  TARE_PATTERN_LOOK,
  TARE_PATTERN_BEGIN,
  TARE_PATTERN_END,
  TARE_PATTERN_MATCH,
} TarePatternOp;

typedef enum
{
  TARE_PATTERN_GREEDY,
  TARE_PATTERN_LAZY,
  TARE_PATTERN_POSSESSIVE,
} TarePatternGreed;

/**
 * TarePatternStep:
 * @op: what to do
 * @set: of characters
 * @least: how many at least
 * @most: how many at most; %G_MAXUINT32 for any
 * @greed: which number first
 * @negated: whether it must not hold
 * @to: steps from here
 * @otherwise: steps from here
 */
typedef struct
{
  TarePatternOp    op;
  guint32          set;
  guint32          least;
  guint32          most;
  TarePatternGreed greed;
  gboolean         negated;
  gint32           to;
  gint32           otherwise;
} TarePatternStep;

struct _TarePattern
{
  gatomicrefcount  references;
  GArray          *sets;
  GArray          *steps;
};

gboolean _tare_pattern_set_has  (const TarePattern  *self,
                                 guint32             set,
                                 gunichar            character);
gboolean _tare_pattern_class    (const char        **rest,
                                 gboolean            fold,
                                 TarePattern        *self,
                                 guint32            *set,
                                 const char         *regex,
                                 GError            **error);
gboolean _tare_pattern_error    (const char         *regex,
                                 const char         *at,
                                 const char         *what,
                                 GError            **error);

G_END_DECLS
