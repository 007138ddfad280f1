import type { AuditDevices } from '../audit/audit-devices.ts'
import { write, type EngineRequest, type Route } from '../engine.ts'
import { badRequest } from '../errors.ts'

/** `sys/audit` and `sys/audit-hash`: devices come and go; what a value looks like in one. */
export function auditRoutes(devices: AuditDevices): Route[] {
  return [
    { pattern: 'audit', sudo: true, on: { read: () => ({ data: table(devices), alsoOnTop: true }) } },
    {
      pattern: 'audit/*path',
      sudo: true,
      on: {
        ...write((request) => {
          const { fields } = request
          devices.enable(pathOf(request), {
            type: fields.string('type'),
            description: fields.string('description'),
            options: fields.stringMap('options'),
          })
        }),
        delete: (request) => devices.disable(pathOf(request)),
      },
    },
    {
      pattern: 'audit-hash/*path',
      on: write((request) => {
        const input = request.fields.string('input')
        if (input === '') throw badRequest('the "input" parameter is empty')
        return { data: { hash: devices.hash(pathOf(request), input) }, alsoOnTop: true }
      }),
    },
  ]
}

function table(devices: AuditDevices): Record<string, unknown> {
  return Object.fromEntries(
    devices
      .all()
      .map(([path, { description, options }]) => [
        path,
        { path, type: 'file', description, options, local: false },
      ]),
  )
}

const pathOf = ({ params }: EngineRequest) => `${params['path']!.replace(/\/$/, '')}/`
