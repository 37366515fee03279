{{- /* What the schema cannot see: values that contradict each other, and those of nos' chart that mean nothing here. Each
       ends the command with a sentence. */ -}}
{{- define "facet.check" -}}
{{- $controller := include "facet.controller" . | fromJson -}}
{{- $agent := .Values.agent -}}
{{- if and (gt (int $controller.replicas) 1) (not $controller.leaderElection) -}}
{{- fail "controller.replicas: several controllers without leaderElection would write over each other's plans; set controller.leaderElection=true or controller.replicas=1" -}}
{{- end -}}
{{- if and (eq $agent.containerAccess "cdi") (eq $agent.publish "nvidia") -}}
{{- fail "agent.containerAccess=cdi means nothing with agent.publish=nvidia: NVIDIA's device plugin decides; leave one away" -}}
{{- end -}}
{{- if and (eq $agent.containerAccess "cdi") (not $agent.cdi.edits) -}}
{{- fail "agent.cdi.edits is needed with agent.containerAccess=cdi: on each GPU node run `nvidia-ctk cdi generate --format=json --output=FILE`, and give FILE" -}}
{{- end -}}
{{- range $role := list "controller" "agent" -}}
{{- with index $.Values $role "serviceAccount" -}}
{{- if not (or .create .name) -}}
{{- fail (printf "%s.serviceAccount.name is needed where %s.serviceAccount.create is false" $role $role) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not (or .Values.controller.enabled $agent.enabled) -}}
{{- fail "controller.enabled and agent.enabled are both false: nothing would be installed" -}}
{{- end -}}
{{- include "facet.checkNos" . -}}
{{- end -}}

{{- define "facet.checkNos" -}}
{{- $means := dict
  "knownMigGeometries" "NVML says which slices a GPU can have"
  "devicePlugin" "facet publishes slices itself; for NVIDIA's device plugin see agent.publish"
  "scheduler" "it is for nos' scheduler; name yours with schedulerName"
  "gpuAgent" "MPS is not cut yet"
  "kubeRbacProxy" "there is no such sidecar: see networkPolicy" -}}
{{- range $name, $why := $means -}}
{{- if hasKey $.Values $name -}}
{{- fail (printf "%s is a value of nos' chart that means nothing here (%s): remove it" $name $why) -}}
{{- end -}}
{{- end -}}
{{- range $name, $why := dict "image" "both roles have one image: see image" "reportConfigIntervalSeconds" "the agent reports when something changes" -}}
{{- if hasKey ($.Values.migAgent | default dict) $name -}}
{{- fail (printf "migAgent.%s is a value of nos' chart that means nothing here (%s): remove it" $name $why) -}}
{{- end -}}
{{- end -}}
{{- if contains "nos-gpu-partitioner" .Values.image.repository -}}
{{- fail (printf "image.repository is nos' image (%s): give facet's, or remove it" .Values.image.repository) -}}
{{- end -}}
{{- end -}}
