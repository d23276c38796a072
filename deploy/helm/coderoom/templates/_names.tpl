{{- define "coderoom.name" -}}
{{ .Release.Name }}-coderoom
{{- end -}}

{{- define "coderoom.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "coderoom.labels" -}}
app.kubernetes.io/name: coderoom
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "coderoom.selector" -}}
app.kubernetes.io/name: coderoom
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "coderoom.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "coderoom.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "coderoom.environment" -}}
- name: CODEROOM_POSTGRES_URL
  valueFrom: { secretKeyRef: { name: {{ .Values.existingSecret | quote }}, key: postgres-url } }
- name: CODEROOM_REDIS_URL
  valueFrom: { secretKeyRef: { name: {{ .Values.existingSecret | quote }}, key: redis-url } }
- name: CODEROOM_RABBITMQ_URL
  valueFrom: { secretKeyRef: { name: {{ .Values.existingSecret | quote }}, key: rabbitmq-url } }
- name: CODEROOM_S3_ACCESS_KEY
  valueFrom: { secretKeyRef: { name: {{ .Values.existingSecret | quote }}, key: s3-access-key } }
- name: CODEROOM_S3_SECRET_KEY
  valueFrom: { secretKeyRef: { name: {{ .Values.existingSecret | quote }}, key: s3-secret-key } }
- name: CODEROOM_ADMIN_TOKEN
  valueFrom: { secretKeyRef: { name: {{ .Values.existingSecret | quote }}, key: admin-token, optional: true } }
- name: CODEROOM_SERVER_METRICS_TOKEN
  valueFrom: { secretKeyRef: { name: {{ .Values.existingSecret | quote }}, key: metrics-token, optional: true } }
{{- end -}}
