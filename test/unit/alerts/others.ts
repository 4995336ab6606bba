/**
 * What receivers other than ours take, as their makers publish it, in JSON Schema:
 * - Alertmanager: `definitions/postableAlerts` of api/v2/openapi.yaml, prometheus/alertmanager at 07d03b6c (API version 0.0.1), and
 *   the names of labels that its server checks besides (`^[a-zA-Z_][a-zA-Z0-9_]*$`, no empty set).
 * - Alertmanager's webhook, version 4: "Webhook receiver" of prometheus.io/docs/alerting/latest/configuration, and template.Data of
 *   its notification template reference: every value of a label or annotation is text.
 * - PagerDuty: Events API v2, "Send an alert event" of developer.pagerduty.com: PD-CEF fields, 255 and 1024 characters, 512 KB.
 * - Slack: Block Kit reference of docs.slack.dev: 50 blocks, header 150, section 3000, ten fields of 2000, ten context elements.
 */

const labelName = { pattern: '^[a-zA-Z_][a-zA-Z0-9_]*$' };
const labelSet = { type: 'object', additionalProperties: { type: 'string' }, propertyNames: labelName };
const dateTime = { type: 'string', format: 'date-time' };

export const alertmanagerAlerts = {
  type: 'array',
  items: {
    type: 'object',
    required: ['labels'],
    additionalProperties: false,
    properties: {
      labels: { ...labelSet, minProperties: 1 },
      annotations: labelSet,
      startsAt: dateTime,
      endsAt: dateTime,
      generatorURL: { type: 'string', format: 'uri' },
    },
  },
};

export const alertmanagerWebhook = {
  type: 'object',
  required: [
    'version',
    'groupKey',
    'truncatedAlerts',
    'status',
    'receiver',
    'groupLabels',
    'commonLabels',
    'commonAnnotations',
    'externalURL',
    'alerts',
  ],
  additionalProperties: false,
  properties: {
    version: { const: '4' },
    groupKey: { type: 'string', minLength: 1 },
    truncatedAlerts: { type: 'integer', minimum: 0 },
    status: { enum: ['resolved', 'firing'] },
    receiver: { type: 'string', minLength: 1 },
    groupLabels: labelSet,
    commonLabels: labelSet,
    commonAnnotations: labelSet,
    externalURL: { type: 'string' },
    alerts: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        required: ['status', 'labels', 'annotations', 'startsAt', 'endsAt', 'generatorURL', 'fingerprint'],
        additionalProperties: false,
        properties: {
          status: { enum: ['resolved', 'firing'] },
          labels: labelSet,
          annotations: labelSet,
          startsAt: dateTime,
          endsAt: dateTime,
          generatorURL: { type: 'string' },
          fingerprint: { type: 'string', pattern: '^[0-9a-f]{16}$' },
        },
      },
    },
  },
};

const routing = {
  routing_key: { type: 'string', minLength: 32, maxLength: 32 },
  dedup_key: { type: 'string', minLength: 1, maxLength: 255 },
};

export const PAGERDUTY_MAX_BYTES = 512 * 1000;
export const pagerDutyEvent = {
  oneOf: [
    {
      type: 'object',
      required: ['routing_key', 'event_action', 'dedup_key', 'payload'],
      additionalProperties: false,
      properties: {
        ...routing,
        event_action: { const: 'trigger' },
        client: { type: 'string' },
        client_url: { type: 'string', format: 'uri' },
        links: {
          type: 'array',
          items: {
            type: 'object',
            required: ['href'],
            additionalProperties: false,
            properties: { href: { type: 'string', format: 'uri' }, text: { type: 'string' } },
          },
        },
        payload: {
          type: 'object',
          required: ['summary', 'source', 'severity'],
          additionalProperties: false,
          properties: {
            summary: { type: 'string', minLength: 1, maxLength: 1024 },
            source: { type: 'string', minLength: 1 },
            severity: { enum: ['critical', 'error', 'warning', 'info'] },
            timestamp: dateTime,
            component: { type: 'string' },
            group: { type: 'string' },
            class: { type: 'string' },
            custom_details: { type: 'object' },
          },
        },
      },
    },
    {
      type: 'object',
      required: ['routing_key', 'event_action', 'dedup_key'],
      additionalProperties: false,
      properties: { ...routing, event_action: { enum: ['acknowledge', 'resolve'] } },
    },
  ],
};

const plainText = (maxLength: number) => ({
  type: 'object',
  required: ['type', 'text'],
  additionalProperties: false,
  properties: {
    type: { const: 'plain_text' },
    text: { type: 'string', minLength: 1, maxLength },
    emoji: { type: 'boolean' },
  },
});
const mrkdwn = (maxLength: number) => ({
  type: 'object',
  required: ['type', 'text'],
  additionalProperties: false,
  properties: {
    type: { const: 'mrkdwn' },
    text: { type: 'string', minLength: 1, maxLength },
    verbatim: { type: 'boolean' },
  },
});
const block = (type: string, properties: Record<string, object>) => ({
  type: 'object',
  required: ['type', ...Object.keys(properties)],
  additionalProperties: false,
  properties: { type: { const: type }, ...properties },
});

export const slackMessage = {
  type: 'object',
  required: ['text', 'blocks'],
  additionalProperties: false,
  properties: {
    text: { type: 'string', minLength: 1, maxLength: 40_000 },
    blocks: {
      type: 'array',
      minItems: 1,
      maxItems: 50,
      items: {
        oneOf: [
          block('header', { text: plainText(150) }),
          block('section', { text: { oneOf: [plainText(3_000), mrkdwn(3_000)] } }),
          block('section', { fields: { type: 'array', minItems: 1, maxItems: 10, items: mrkdwn(2_000) } }),
          block('context', { elements: { type: 'array', minItems: 1, maxItems: 10, items: mrkdwn(3_000) } }),
        ],
      },
    },
  },
};
