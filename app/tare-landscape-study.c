/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-landscape-study.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "analysis/sensitivity/tare-hessian-loss.h"
#include "analysis/sensitivity/tare-landscape.h"

/* Enough tokens that a figure says something of the text, few enough that a look at a small model
 * takes a second. */
#define PROBE_SEQUENCES 4

/* Tokens of which something can be said. */
#define SHORTEST 16

/* Up to so many weights the eigenvectors of a layer are looked for: their memory is that of so many
 * vectors as there are steps. */
#define MOST_WEIGHTS  ((gsize) 1 << 20)
#define DENSITY_STEPS 16
#define EIGEN_STEPS   10
#define EIGEN_CHANGE  0.05

/* How far it goes along an eigenvector: until its curvature alone adds half a nat, but no farther
 * than the layer's own length. */
#define RISE 0.5

/**
 * tare_landscape_load_tokens:
 * @model: whose tokenizer
 * @path: a text
 * @objective: (out): the cross entropy on what is returned
 * @error: the text cannot be read, or is too short
 *
 * The beginning of a text: some sequences of %TARE_LANDSCAPE_LENGTH tokens, or one of all tokens
 * where the text is shorter.
 *
 * Returns: (transfer full) (nullable): the tokens, %NULL on error
 */
guint32 *
tare_landscape_load_tokens (TareModel      *model,
                            const char     *path,
                            TareObjective  *objective,
                            GError        **error)
{
  TareTokenizer *tokenizer = tare_model_get_tokenizer (model, error);
  g_autoptr(GArray) tokens = NULL;
  g_autofree char *text = NULL;
  gsize length = 0;

  if (tokenizer == NULL || !g_file_get_contents (path, &text, &length, error))
    return NULL;

  /* No tokenizer makes fewer tokens of a text than one for 16 bytes. */
  length = MIN (length, (gsize) PROBE_SEQUENCES * TARE_LANDSCAPE_LENGTH * 16);
  tokens = tare_tokenizer_encode (tokenizer, text, length, TARE_TOKEN_FLAGS_ADD_SPECIAL);
  if (tokens->len < SHORTEST)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   _("%s: a text of %d tokens or more is needed"), path, SHORTEST);
      return NULL;
    }

  *objective = (TareObjective) {
    .loss = TARE_LOSS_CROSS_ENTROPY, .length = MIN (tokens->len, TARE_LANDSCAPE_LENGTH),
  };
  objective->n_sequences = MIN (tokens->len / objective->length, PROBE_SEQUENCES);
  objective->tokens = g_memdup2 (tokens->data, objective->n_sequences * objective->length
                                               * sizeof (guint32));

  return (guint32 *) objective->tokens;
}

typedef struct
{
  TareStudyTask *task;
  double         reach[2];
  double         values[2];
} Survey;

/**
 * tare_landscape_view_free:
 * @data: (transfer full): a #TareLandscapeView
 */
void
tare_landscape_view_free (gpointer data)
{
  TareLandscapeView *view = data;

  g_clear_pointer (&view->density, tare_eigen_density_free);
  g_free (view->losses);
  g_free (view);
}

/* After every row of the grid. */
static void
post_landscape (const TareLandscape *landscape,
                gpointer             data)
{
  const Survey *survey = data;
  gsize n = landscape->n_x * landscape->n_y;
  gsize known = 0;
  TareLandscapeView *view;

  while (known < n && !isnan (landscape->loss[known]))
    known++;
  if (known % landscape->n_x != 0)
    return;

  view = g_new0 (TareLandscapeView, 1);
  view->losses = g_memdup2 (landscape->loss, n * sizeof *landscape->loss);
  view->n_losses = known;
  memcpy (view->values, survey->values, sizeof view->values);
  for (guint i = 0; i < 2; i++)
    {
      view->x[i] = (i == 0 ? -1.0 : 1.0) * survey->reach[0];
      view->y[i] = (i == 0 ? -1.0 : 1.0) * survey->reach[1];
    }
  tare_study_post (survey->task, view);
}

static gboolean
measure_landscape (Survey               *survey,
                   const TareObjective  *objective,
                   const TareDirection   directions[2],
                   const TareProgress   *progress,
                   GError              **error)
{
  const TareLandscapeOptions options = {
    .directions = { &directions[0], &directions[1] },
    .from = { -survey->reach[0], -survey->reach[1] },
    .to = { survey->reach[0], survey->reach[1] },
    .n = { TARE_LANDSCAPE_SIDE, TARE_LANDSCAPE_SIDE },
    .func = post_landscape,
    .data = survey,
  };
  g_autoptr(TareLandscape) landscape = tare_landscape_measure (survey->task->model, objective,
                                                               &options, 0, progress, error);

  return landscape != NULL;
}

/* A layer of many weights: two random directions of the whole network (Li et al. 2018). */
static gboolean
survey_network (Survey               *survey,
                const TareObjective  *objective,
                GError              **error)
{
  const TareRandomDirection random[2] = { { survey->task->model, 1 }, { survey->task->model, 2 } };
  const TareDirection directions[2] = {
    tare_random_direction_get_direction (&random[0]),
    tare_random_direction_get_direction (&random[1]),
  };

  for (guint i = 0; i < 2; i++)
    {
      survey->reach[i] = 1.0;
      survey->values[i] = (double) NAN;
    }

  return measure_landscape (survey, objective, directions, survey->task->progress, error);
}

static gboolean
post_density (TareStudyTask       *task,
              const TareOperator  *operator,
              const TareProgress  *progress,
              GError             **error)
{
  TareEigenDensity *density = tare_operator_find_density (operator, DENSITY_STEPS, 1, 1, progress,
                                                          error);
  TareLandscapeView *view;

  if (density == NULL)
    return FALSE;
  view = g_new0 (TareLandscapeView, 1);
  view->density = density;
  tare_study_post (task, view);

  return TRUE;
}

/* @length: of the layer's weights as one vector */
static gboolean
survey_layer (Survey               *survey,
              const TareObjective  *objective,
              double                length,
              GError              **error)
{
  const TareEigenOptions eigen_options = {
    .n_pairs = 2, .maximum_products = EIGEN_STEPS, .tolerance = EIGEN_CHANGE, .seed = 1,
  };
  TareStudyTask *task = survey->task;
  TareProgress first = tare_progress_part (task->progress, 0.0, 0.4);
  TareProgress second = tare_progress_part (task->progress, 0.4, 0.6);
  TareProgress third = tare_progress_part (task->progress, 0.6, 1.0);
  g_autoptr(TareHessianLoss) hessian = tare_hessian_loss_new (task->model, objective,
                                                              TARE_HESSIAN_EXACT, 0, error);
  g_autoptr(TareEigen) eigen = NULL;
  TareHessianVector vectors[2];
  TareDirection directions[2];
  TareOperator operator;

  if (hessian == NULL)
    return FALSE;
  tare_hessian_loss_select (hessian, task->tensor);
  operator = tare_hessian_loss_get_operator (hessian);
  eigen = tare_operator_find_eigen (&operator, &eigen_options, &first, error);
  if (eigen == NULL || !post_density (task, &operator, &second, error))
    return FALSE;

  for (guint i = 0; i < 2; i++)
    {
      guint pair = MIN (i, (guint) eigen->n_pairs - 1);

      survey->values[i] = eigen->values[pair];
      survey->reach[i] = MIN (sqrt (2.0 * RISE / fabs (eigen->values[pair])), length);
      vectors[i] = (TareHessianVector) { hessian, eigen->vectors + pair * eigen->n };
      directions[i] = tare_hessian_vector_get_direction (&vectors[i]);
    }

  return measure_landscape (survey, objective, directions, &third, error);
}

/* What is asked: the text, and the length of the layer's weights. */
typedef struct
{
  char   *path;
  double  length;
} Site;

/**
 * tare_landscape_site_new:
 * @path: a text
 * @statistics: (nullable): of the layer
 *
 * Returns: (transfer full): what to ask tare_landscape_study()
 */
gpointer
tare_landscape_site_new (const char           *path,
                         const TareStatistics *statistics)
{
  Site *site = g_new0 (Site, 1);

  site->path = g_strdup (path);
  if (statistics != NULL)
    site->length = sqrt ((double) statistics->n
                         * (statistics->mean * statistics->mean
                            + statistics->standard_deviation * statistics->standard_deviation));

  return site;
}

/**
 * tare_landscape_site_free:
 * @data: (transfer full): what was asked
 */
void
tare_landscape_site_free (gpointer data)
{
  Site *site = data;

  g_free (site->path);
  g_free (site);
}

/**
 * tare_landscape_study:
 * @task: of a layer, its request from tare_landscape_site_new()
 * @error: cancelled, a text that is too short, a model that cannot be run
 *
 * Surveys the loss around a layer's weights along the two directions of its largest curvature, or
 * that of the whole network along two random ones where the layer has too many weights to find
 * them. Posts a #TareLandscapeView with the density of the eigenvalues, and one after every row.
 *
 * Returns: %FALSE on error
 */
gboolean
tare_landscape_study (TareStudyTask  *task,
                      GError        **error)
{
  const Site *site = task->request;
  TareObjective objective = { 0 };
  g_autofree guint32 *tokens = tare_landscape_load_tokens (task->model, site->path, &objective,
                                                          error);
  Survey survey = { .task = task };

  if (tokens == NULL)
    return FALSE;

  /* It takes hundreds of runs. */
  objective.n_sequences = 1;

  return tare_tensor_get_n_weights (task->tensor) <= MOST_WEIGHTS && site->length > 0.0
         ? survey_layer (&survey, &objective, site->length, error)
         : survey_network (&survey, &objective, error);
}
