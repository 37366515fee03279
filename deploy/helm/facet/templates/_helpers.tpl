{{- /* Names. The release is usually called facet, and then so is everything. */ -}}
{{- define "facet.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "facet.controller.name" -}}{{ include "facet.fullname" . }}-controller{{- end -}}
{{- define "facet.agent.name" -}}{{ include "facet.fullname" . }}-agent{{- end -}}

{{- define "facet.controller.account" -}}
{{- with .Values.controller.serviceAccount }}{{ .create | ternary (.name | default (include "facet.controller.name" $)) .name }}{{ end -}}
{{- end -}}

{{- define "facet.agent.account" -}}
{{- with .Values.agent.serviceAccount }}{{ .create | ternary (.name | default (include "facet.agent.name" $)) .name }}{{ end -}}
{{- end -}}

{{- /* What never changes for a release: Deployments and DaemonSets select by it. */ -}}
{{- define "facet.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "facet.labels" -}}
{{ include "facet.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* No versions: only what changes a program starts it again. */ -}}
{{- define "facet.podLabels" -}}
{{ include "facet.selector" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "facet.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end -}}

{{- /* nos counts: 0 is info, more is more. Given null, it is the other one's affair. */ -}}
{{- define "facet.logLevel" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ ternary "debug" "info" (gt (int .) 0) }}{{ end -}}
{{- end -}}

{{- /* A time: a number alone is seconds. (A large one would be written 6e+01.) */ -}}
{{- define "facet.time" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ printf "%ds" (int .) }}{{ end -}}
{{- end -}}

{{- /* The controller's values with those of nos' chart over them, as JSON. */ -}}
{{- define "facet.controller" -}}
{{- $controller := deepCopy .Values.controller -}}
{{- $aliases := dict "replicas" .Values.replicaCount "batchWindowTimeout" .Values.batchWindowTimeoutSeconds
  "batchWindowIdle" .Values.batchWindowIdleSeconds "leaderElection" (.Values.leaderElection | default dict).enabled
  "podSecurityContext" .Values.podSecurityContext "resources" .Values.resources "podAnnotations" .Values.podAnnotations
  "tolerations" .Values.tolerations "affinity" .Values.affinity "nodeSelector" .Values.nodeSelector -}}
{{- range $name, $value := $aliases -}}
{{- if not (kindIs "invalid" $value) -}}{{- $_ := set $controller $name $value -}}{{- end -}}
{{- end -}}
{{- toJson $controller -}}
{{- end -}}

{{- define "facet.agent" -}}
{{- $agent := deepCopy .Values.agent -}}
{{- $nos := .Values.migAgent | default dict -}}
{{- with $nos.resources }}{{- $_ := set $agent "resources" . -}}{{- end -}}
{{- with $nos.tolerations }}{{- $_ := set $agent "tolerations" (concat ($agent.tolerations | default list) .) -}}{{- end -}}
{{- $level := kindIs "invalid" $nos.logLevel | ternary .Values.logLevel $nos.logLevel -}}
{{- $_ := set $agent "logLevel" (include "facet.logLevel" $level) -}}
{{- toJson $agent -}}
{{- end -}}

{{- /* Both roles answer there; a program that is slow to answer is not killed for it. */ -}}
{{- define "facet.probes" -}}
livenessProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end -}}
