/* One file a command: cmd_NAME.c. */
#ifndef PTS_CLI_COMMANDS_H
#define PTS_CLI_COMMANDS_H

/* ptsinfer */
int cmd_audit(int argc, char **argv);
int cmd_embed(int argc, char **argv);
int cmd_predict(int argc, char **argv);
int cmd_curve(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_serve(int argc, char **argv);

/* ptstrain */
int cmd_collect(int argc, char **argv);
int cmd_data(int argc, char **argv);
int cmd_eval(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_extrapolate(int argc, char **argv);
int cmd_fit(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_map(int argc, char **argv);
int cmd_prior(int argc, char **argv);
int cmd_runs(int argc, char **argv);
int cmd_train(int argc, char **argv);
int cmd_train_embed(int argc, char **argv);

/* Of this program, made by audit_sources.sh. */
extern const unsigned cli_source_files, cli_source_lines;

#endif
