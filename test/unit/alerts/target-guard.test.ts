/** Which addresses may be contacted, in every form that ends at the same place. */
import { describe, expect, it } from 'vitest';
import { createTargetGuard, forbidden } from '../../../responder/alerts/target-guard.ts';

describe('target guard', () => {
  it.each([
    '169.254.169.254',
    '169.254.170.2', // ECS
    '169.254.0.1',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '::169.254.169.254',
    '::ffff:0:a9fe:a9fe',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b::169.254.169.254',
    '64:ff9b:1::a9fe:a9fe',
    '64:ff9b:1:ffff::a9fe:a9fe',
    '2002:a9fe:a9fe::1',
    '2001:db8::5efe:a9fe:a9fe',
    'fe80::1',
    'fe80::1%eth0',
    'febf::1',
    'fd00:ec2::254',
    'fd00:ec2::23', // EKS pod identity
    'fd00:0ec2:0:0:0:0:0:fe',
    'fd20:ce::254', // Google
    'fd00:42::42', // Scaleway
    '100.100.100.200',
    '64:ff9b::6464:64c8',
    '168.63.129.16',
    '192.0.0.192',
    '0.0.0.0',
    '::',
    '::ffff:0.0.0.0',
    '224.0.0.1',
    'ff02::1',
    '255.255.255.255',
    'nonsense',
    '',
  ])('never %s', (address) => expect(forbidden(address)).not.toBeNull());

  const PRIVATE = [
    '127.0.0.1',
    '127.8.8.8',
    '::1',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '100.64.0.1',
    'fc00::1',
    'fd00:ec3::254',
    'fd20:cf::254',
    '::ffff:10.0.0.1',
    '64:ff9b::a00:1',
    '2002:c0a8:101::1',
    '192.0.2.1',
  ];
  it.each(PRIVATE)('%s in a configuration file, and only there', (address) => {
    expect(forbidden(address)).toBeNull();
    expect(forbidden(address, false)).toMatch(/not public/);
  });

  it.each(['8.8.8.8', '2606:4700:4700::1111', '::ffff:8.8.8.8', '64:ff9b::808:808', '169.253.255.255', '169.255.0.1'])(
    '%s everywhere',
    (address) => {
      expect(forbidden(address)).toBeNull();
      expect(forbidden(address, false)).toBeNull();
    },
  );

  it.each([
    'http://2852039166/',
    'http://0xA9.0xFE.0xA9.0xFE/',
    'http://0251.0376.0251.0376/',
    'http://169.16689662/',
    'http://[::ffff:169.254.169.254]/',
    'http://169.254.169.254.:80/',
    'http://１６９.254.169.254/',
  ])('%s is what it means', (url) => {
    expect(() => createTargetGuard(true).check(new URL(url))).toThrow('is link-local');
  });

  it('gives what was looked at, and nothing else', async () => {
    const guard = createTargetGuard(true, async () => [
      { address: '10.0.0.1', family: 4 },
      { address: 'fd00::1', family: 6 },
    ]);
    const look = (options: object) =>
      new Promise((resolve, reject) =>
        guard.lookup('a.example', options, (error, address, family) =>
          error === null ? resolve([address, family]) : reject(error),
        ),
      );
    expect(await look({ all: true })).toEqual([
      [
        { address: '10.0.0.1', family: 4 },
        { address: 'fd00::1', family: 6 },
      ],
      undefined,
    ]);
    expect(await look({})).toEqual(['10.0.0.1', 4]);
    expect(await look({ family: 6 })).toEqual(['fd00::1', 6]);
    const four = createTargetGuard(true, async () => [{ address: '10.0.0.1', family: 4 }]);
    await expect(
      new Promise((_, reject) => four.lookup('a.example', { family: 'IPv6' }, (error) => reject(error))),
    ).rejects.toThrow('has no address');
  });
});
